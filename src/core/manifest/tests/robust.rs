//! Texts that nobody wrote, and big ones.

use super::*;
use crate::core::route::Action;
use std::path::Path;
use std::time::{Duration, Instant};

/// What breaks readers: brackets, quotes, actions, anchors, odd characters.
const WORDS: [&str; 40] = [
    "{",
    "}",
    "[",
    "]",
    "\"",
    "'",
    "`",
    "\\",
    ":",
    ": ",
    ",",
    "- ",
    "\n",
    "\r\n",
    "\t",
    "\u{0}",
    "\u{feff}",
    "é",
    "\u{e000}00",
    "#",
    "&a ",
    "*a",
    "<<: *a",
    "!!binary ",
    "---\n",
    "...\n",
    "|\n",
    ">-\n",
    "{{",
    "}}",
    "{{ if .x }}",
    "{{ else }}",
    "{{ end }}",
    "{{/*",
    "*/}}",
    "{{ .Values.w }}",
    "weight: 5",
    "route:",
    "?",
    "%YAML 1.2\n",
];

/// Deterministic numbers.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound.max(1)
    }

    /// A place between two characters.
    fn place(&mut self, text: &str) -> usize {
        let at = self.roll(text.len() + 1);
        (at..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len())
    }

    fn mutated(&mut self, text: &str) -> String {
        let mut text = text.to_owned();
        for _ in 0..=self.roll(4) {
            let (one, other) = (self.place(&text), self.place(&text));
            let (begin, end) = (one.min(other), one.max(other));
            match self.roll(6) {
                0 => text.truncate(one),
                1 => text.replace_range(begin..end, ""),
                2 => text.insert_str(one, &text[begin..end].to_owned()),
                _ => text.insert_str(one, WORDS[self.roll(WORDS.len())]),
            }
            if text.len() > 20_000 {
                let end = self.place(&text).min(20_000);
                let end = (0..=end).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
                text.truncate(end);
            }
        }
        text
    }
}

/// Edits whatever can be edited. What comes out must have the weights.
fn try_all(text: &str) -> usize {
    let values = Some("w: 5\na: {b: '7'}\n");
    let Ok(manifest) = Manifest::read(text, values) else { return 0 };
    let mut done = 0;
    for (index, held) in manifest.virtual_services().iter().enumerate() {
        for route in Object::read(held.value.clone()).routes {
            let Action::Forward(to) = &route.action else { continue };
            let mut patch = Patch::default();
            for place in 0..to.len() {
                let (at, place) = (route.id.index.to_string(), place.to_string());
                patch.set(["spec", route.id.protocol.key(), &at, "route", &place, "weight"], json!(77_777));
            }
            let Ok(after) = manifest.edited(&[(index, &patch)]) else { continue };
            let again = Manifest::read(&after.text, after.values.as_deref().or(values)).expect("what was proven can be read");
            let again = Object::read(again.virtual_services()[index].value.clone()).routes;
            let route = again.iter().find(|one| one.id == route.id).expect("the same route");
            assert!(route.weights().iter().all(|(_, weight)| *weight == 77_777), "{text}");
            done += 1;
        }
    }
    done
}

#[test]
fn no_text_brings_it_down() {
    let mut seeds: Vec<String> = vec![
        templates::CHART.into(),
        templates::CHART.replace('\n', "\r\n"),
        service("    - destination: {host: a}\n      weight: &w 5\n    - {\"destination\": {\"host\": \"b\"}}\n    - weight: {{ .Values.w }}\n      destination:\n        host: c\n"),
        "{\"apiVersion\": \"networking.istio.io/v1\", \"kind\": \"VirtualService\", \"spec\": {\"http\": [{\"route\": [{\"destination\": {\"host\": \"a\"}}]}]}}".into(),
    ];
    for folder in ["plain", "helm"] {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus").join(folder);
        let mut files: Vec<_> = std::fs::read_dir(corpus).into_iter().flatten().flatten().map(|one| one.path()).collect();
        files.sort();
        seeds.extend(
            files.iter().step_by(7).filter_map(|path| std::fs::read_to_string(path).ok()).filter(|text| text.len() < 20_000),
        );
    }
    let seconds = std::env::var("TIDEGATE_FUZZ_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    let end = Instant::now() + Duration::from_secs(seconds.unwrap_or(0));
    let (mut dice, mut done) = (Dice(1), 0);
    // Rounds of a plain `cargo test`; with the variable it goes on for that long.
    for round in 0.. {
        if round >= 3_000 && Instant::now() > end {
            break;
        }
        let seed = &seeds[round % seeds.len()];
        done += try_all(&dice.mutated(seed));
    }
    assert!(done > 0);
}

#[test]
fn many_routes_at_once() {
    let mut text =
        String::from("apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: big}\nspec:\n  http:\n");
    for route in 0..ROUTES {
        text += &format!(
            "  - match: [{{uri: {{prefix: /{route}}}}}]\n    route:\n    - destination: {{host: a}}\n      weight: 100\n    - destination:\n        host: b\n"
        );
    }
    let edits: Vec<(usize, usize, u32)> = (0..ROUTES).flat_map(|route| [(route, 0, 80), (route, 1, 20)]).collect();
    let after = edited(&text, &edits);
    assert_eq!(after, text.replace("weight: 100", "weight: 80").replace("host: b\n", "host: b\n      weight: 20\n"));
}

const ROUTES: usize = 2_000;

#[test]
fn depth_is_bounded() {
    for deep in ["[", "{a: ", "- ", "a:\n ", "? "] {
        assert!(Manifest::read(&deep.repeat(50_000), None).is_err(), "{deep}");
    }
    let blocks: String = (0..200).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    assert!(unread(&blocks).contains("deep"), "{}", unread(&blocks));
}
