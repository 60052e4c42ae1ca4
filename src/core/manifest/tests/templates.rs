use super::*;

fn with_values(text: &str, values: &str, weights: &[(usize, usize, u32)]) -> Result<Edited> {
    Manifest::read(text, Some(values))?.edited(&[(0, &patch(weights))])
}

fn why(text: &str, values: &str, weights: &[(usize, usize, u32)]) -> String {
    with_values(text, values, weights).expect_err("refused").message
}

const CHART: &str = include_str!("../../../../fixtures/manifests/chart.yaml");

#[test]
fn charts_are_read_with_their_actions_masked() {
    for text in [CHART.to_owned(), CHART.replace('\n', "\r\n")] {
        let manifest = read(&text);
        let held = &manifest.virtual_services()[0];
        assert_eq!(held.problem, None);
        assert_eq!(held.value["metadata"]["name"], "{{ $name }}-vs");
        assert_eq!(held.value["metadata"]["labels"]["app"], "{{ .Chart.Name | replace \"+\" \"}}\" }}");
        let route = &held.value["spec"]["http"][0]["route"];
        assert_eq!(route[0]["destination"]["host"], "{{ if .Values.short }}{{ $name }}{{ else }}{{ $name }}.svc{{ end }}");
        assert_eq!(route[1]["destination"]["subset"], "{{ `{{ new }}` }}");
        assert_eq!(route[0]["weight"], 100);
        let after = edited(&text, &[(0, 0, 80), (0, 1, 20)]);
        assert_eq!(after, text.replace("weight: 100", "weight: 80").replace("weight: 0", "weight: 20"));
    }
}

#[test]
fn a_missing_weight_in_a_template() {
    let text = service(
        "    - destination:\n        host: {{ .a }}\n        {{- if .p }}\n        port: 1\n        {{- end }}\n    - destination: {host: b} {{/* c\n c */}} # d\n{{ end }}\n",
    );
    let after = text.replace("port: 1\n", "port: 1\n      weight: 80\n").replace("# d", "# d\n      weight: 20");
    assert_eq!(edited(&text, &[(0, 0, 80), (0, 1, 20)]), after);
}

#[test]
fn weights_are_followed_into_the_values() {
    let text = service(
        "    - destination: {host: a}\n      weight: {{ .Values.canary.stable }}\n    - destination: {host: b}\n      weight: {{- $.Values.canary.weight | int }}\n",
    );
    let values = "# chart\ncanary:\n  stable: 100 # all\n  weight: \"0\"\n  tag: v2\n";
    let manifest = Manifest::read(&text, Some(values)).expect("reads");
    let route = &manifest.virtual_services()[0].value["spec"]["http"][0]["route"];
    assert_eq!((&route[0]["weight"], &route[1]["weight"]), (&json!(100), &json!(0)));
    let after = with_values(&text, values, &[(0, 0, 80), (0, 1, 20)]).expect("edits");
    assert_eq!(after.text, text);
    assert_eq!(after.values, Some(values.replace("100", "80").replace("\"0\"", "\"20\"")));
    assert_eq!(read(&text).virtual_services()[0].value["spec"]["http"][0]["route"][0]["weight"], "{{ .Values.canary.stable }}");
    assert_eq!(refused(&text, &[(0, 0, 80)]), "line 8: the weight is `.Values.canary.stable`, and there are no values");
    assert_eq!(why(&text, "canary: {}", &[(0, 0, 80)]), "line 8: `.Values.canary.stable` is no number in the values");
    assert!(why(&text, "canary: [", &[(0, 0, 80)]).starts_with("in the values, line 1, "));
    let styles = service(
        "    - {weight: {{ .Values.canary.stable }}, destination: {host: a}}\n    - \"weight\": \"{{ .Values.canary.weight }}\"\n      destination: {host: b}\n",
    );
    let manifest = Manifest::read(&styles, Some(values)).expect("reads");
    let route = &manifest.virtual_services()[0].value["spec"]["http"][0]["route"];
    assert_eq!((&route[0]["weight"], &route[1]["weight"]), (&json!(100), &json!("0")));
    assert_eq!(with_values(&styles, values, &[(0, 0, 80), (0, 1, 20)]).map(|again| again.values), Ok(after.values));
    assert!(with_values(&text, "w: &w 5\ncanary: {stable: *w, weight: 1}", &[(0, 0, 80)]).is_err());
    let anchored = with_values(&text, "canary: {stable: &w 5, weight: 1}\nx: *w", &[(0, 0, 80)]).expect_err("x would change too");
    assert_eq!(anchored.causes, ["line 1 of the values: other places may refer to what is anchored here"]);
}

#[test]
fn a_value_that_others_use_is_refused() {
    let one = "    - destination: {host: a}\n      weight: {{ .Values.w.a }}\n";
    let values = "w: {a: 50, b: 50}\n";
    let both = service(&format!("{one}{one}"));
    assert_eq!(
        with_values(&both, values, &[(0, 0, 7), (0, 1, 7)]).map(|after| after.values),
        Ok(Some("w: {a: 7, b: 50}\n".into()))
    );
    assert_eq!(
        why(&both, values, &[(0, 0, 7)]),
        "line 8: `.Values.w.a` is used by `{{ .Values.w.a }}` in line 10 too: the change would reach further"
    );
    assert_eq!(
        why(&both, values, &[(0, 0, 7), (0, 1, 8)]),
        "line 10: `{{ .Values.w.a }}` would have to be 7 for one destination and 8 for another"
    );
    let other = service(&format!("{one}    - destination: {{host: b}}\n      weight: {{{{ sub 100 .Values.w.a }}}}\n"));
    assert!(why(&other, values, &[(0, 0, 7)]).contains("used by `{{ sub 100 .Values.w.a }}` in line 10 too"));
    assert!(why(&other, values, &[(0, 1, 7)]).contains("templated by more than a plain reference (`{{ sub 100 .Values.w.a }}`)"));
    let asked = format!("{{{{ if .Values.w }}}}\n{}{{{{ end }}}}\n", service(one));
    assert!(with_values(&asked, values, &[(0, 0, 7)]).is_ok());
}

#[test]
fn destinations_that_a_template_decides_on_are_refused() {
    let one = "    - destination: {host: a}\n      weight: 100\n";
    for (line, route) in [
        (7, format!("    {{{{- range .Values.x }}}}\n{one}    {{{{- end }}}}\n")),
        (9, format!("{one}    {{{{- if .Values.x }}}}\n{one}    {{{{- end }}}}\n")),
        (9, format!("{one}    {{{{- include \"more\" . | nindent 4 }}}}\n{one}")),
        (8, "    - destination: {host: a}\n      {{- with .w }}\n      weight: 100\n      {{- end }}\n".to_owned()),
        (9, "    - destination:\n        host: a\n        {{- if .w }}\n        subset: b\n    - destination: {host: c}\n        {{- end }}\n".to_owned()),
    ] {
        let message = refused(&service(&route), &[(0, 0, 5)]);
        assert!(message.starts_with(&format!("line {line}: `{{{{")) && message.contains("how many"), "{message}");
    }
    for more in [
        "    - destination: {host: a}\n    {{- include \"more\" . | nindent 4 }}\n    # c\n    {{ end }}\n    timeout: 1s\n",
        "    - destination: {host: a}\n    # c\n    {{- with .more }}\n    {{- toYaml . | nindent 6 }}\n    {{- end }}\n",
        "    - destination:\n        host: a\n      {{- toYaml .more | nindent 4 }}\n    - destination: {host: b}\n",
    ] {
        assert!(refused(&service(more), &[(0, 0, 5)]).contains("how many"), "{more}");
    }
    let deeper = service(
        "    - destination:\n        host: a\n        {{- toYaml .more | nindent 8 }}\n      headers: {{- toYaml .h | nindent 8 }}\n      weight: 100\n  {{- include \"routes\" . | nindent 2 }}\n",
    );
    assert_eq!(edited(&deeper, &[(0, 0, 5)]), deeper.replace("100", "5"));
    let around = service(&format!("{one}{{{{ end }}}}\n")).replace("  - route", "{{ range .x }}\n  - route");
    assert_eq!(edited(&around, &[(0, 0, 5)]), around.replace("100", "5"));
}

#[test]
fn a_branch_that_is_left_out_must_not_have_routes() {
    let text = service("    - destination: {host: a}\n      weight: 100\n").replace("  - route:", "  - {{ if .x }}\n    route:");
    let text = text + "    {{ else }}\n    route:\n    - destination: {host: b}\n    {{ end }}\n";
    let manifest = read(&text);
    let problem = manifest.virtual_services()[0].problem.clone().expect("a problem");
    assert_eq!(problem.message, "line 10: the template has routes of this object in another branch too");
    assert!(manifest.edited(&[(0, &patch(&[(0, 0, 5)]))]).is_err());
}

#[test]
fn what_is_no_template_stays() {
    for text in ["a: '{{'\n", "a: \"{{ don't }}\"\n", "a: '{{ \"x }}'\nb: 1\n", "a: {b: {c: d}}\n", "a: {{b: c}: d}\n"] {
        let manifest = Manifest::read(text, None);
        assert!(manifest.is_ok() || text.contains("{{b"), "{text}: {manifest:?}");
    }
    assert!(unread("a: {{ if\n").starts_with("line 1, column "));
    let late = format!("{{{{- if .x }}}}\n{}\n  x: [\n", service("    - destination: {host: a}\n"));
    assert!(unread(&late).starts_with("line 10, column"), "{}", unread(&late));
}

#[test]
fn what_is_defined_is_a_text_of_its_own() {
    let one = service("    - destination: {host: a}\n      weight: 100\n");
    let text = format!(
        "{{{{- define \"labels\" -}}}}\n    app: x\n{{{{- end -}}}}\n{{{{ define \"name\" }}}}{{{{ .Chart.Name }}}}{{{{ end }}}}\n{{{{- define \"vs\" }}}}\n{one}{{{{- end }}}}\napp: y\n"
    );
    assert_eq!(read(&text).virtual_services()[0].line, 6);
    assert_eq!(edited(&text, &[(0, 0, 5)]), text.replace("100", "5"));
}
