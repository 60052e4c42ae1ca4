//! What actions say of the chart's values.

use super::mask::{Action, Sort, inner};

/// The path of `{{ .Values.a.b }}`, also with `| int`; none where the action is anything more.
pub(super) fn plain(action: &str) -> Option<Vec<&str>> {
    let inner = inner(action);
    let reference = match inner.split_once('|') {
        Some((reference, filter)) if matches!(filter.trim(), "int" | "int64") => reference.trim_end(),
        Some(_) => return None,
        None => inner,
    };
    let path = reference.strip_prefix('$').unwrap_or(reference).strip_prefix(".Values.")?;
    let segments: Vec<&str> = path.split('.').collect();
    segments.iter().all(|segment| is_name(segment)).then_some(segments)
}

fn is_name(segment: &str) -> bool {
    !segment.is_empty() && !segment.starts_with(|first: char| first.is_ascii_digit()) && segment.chars().all(in_name)
}

fn in_name(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// Whether an action depends on the value at `path`: it names it, or takes something that holds it as a whole.
pub(super) fn depends(action: &Action, source: &str, path: &[&str]) -> bool {
    let inner = inner(source);
    if inner.starts_with("/*") {
        return false;
    }
    // A condition asks of what holds the value only whether it is there.
    let looks_up = ["index ", "get ", "dig ", "pluck "].iter().any(|lookup| inner.contains(lookup));
    let condition = inner.trim_start_matches("else").trim_start().starts_with("if ");
    let asks = condition && matches!(action.sort, Sort::Open | Sort::Branch) && !looks_up;
    inner.match_indices(".Values").any(|(at, name)| {
        let mut rest = &inner[at + name.len()..];
        let mut same = 0;
        loop {
            let behind = rest.strip_prefix('.').unwrap_or_default();
            let segment = &behind[..behind.find(|letter| !in_name(letter)).unwrap_or(behind.len())];
            match (segment.is_empty(), path.get(same)) {
                (_, None) => return true,
                (true, Some(_)) => return !asks && !rest.starts_with(in_name),
                (false, Some(next)) if *next == segment => same += 1,
                (false, Some(_)) => return false,
            }
            rest = &behind[segment.len()..];
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_references_alone_are_followed() {
        assert_eq!(plain("{{ .Values.a.b }}"), Some(vec!["a", "b"]));
        assert_eq!(plain("{{- $.Values.weight_1 | int -}}"), Some(vec!["weight_1"]));
        for more in [
            "{{ .Values }}",
            "{{ .Values.a | default 5 }}",
            "{{ .Values.a | quote }}",
            "{{ sub 100 .Values.a }}",
            "{{ .Release.a }}",
            "{{ .Values.a-b }}",
            "{{ .Values.a. }}",
            "{{ (.Values.a).b }}",
        ] {
            assert_eq!(plain(more), None, "{more}");
        }
    }

    #[test]
    fn other_uses_are_seen() {
        let uses = |action: &str, sort| {
            let action_of = Action { range: 0..action.len(), sort, word: true, until: action.len() };
            depends(&action_of, action, &["canary", "weight"])
        };
        for use_of in [
            "{{ .Values.canary.weight }}",
            "{{ sub 100 $.Values.canary.weight }}",
            "{{ toYaml .Values.canary | nindent 2 }}",
            "{{ $c := .Values.canary }}",
            "{{ index .Values \"canary\" \"weight\" }}",
        ] {
            assert!(uses(use_of, Sort::Output), "{use_of}");
        }
        assert!(uses("{{ if .Values.canary.weight }}", Sort::Open));
        assert!(uses("{{ with .Values.canary }}", Sort::Open));
        assert!(uses("{{ if index .Values.canary \"weight\" }}", Sort::Open));
        assert!(!uses("{{- if .Values.canary }}", Sort::Open));
        assert!(!uses("{{- else if .Values.canary }}", Sort::Branch));
        assert!(!uses("{{/* .Values.canary.weight */}}", Sort::Silent));
        for other in ["{{ .Values.canary.weights }}", "{{ .Values.stable.weight }}", "{{ .Values.canaryTag }}", "{{ .ValuesX }}"]
        {
            assert!(!uses(other, Sort::Output), "{other}");
        }
    }
}
