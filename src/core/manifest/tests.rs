use super::*;
use crate::core::object::Object;
use serde_json::json;

mod templates;

/// The weights of http routes as a patch: `(route, destination, weight)`.
fn patch(weights: &[(usize, usize, u32)]) -> Patch {
    let mut patch = Patch::default();
    for (route, destination, weight) in weights {
        let (route, destination) = (route.to_string(), destination.to_string());
        patch.set(["spec", "http", &route, "route", &destination, "weight"], json!(weight));
    }
    patch
}

fn read(text: &str) -> Manifest {
    Manifest::read(text, None).unwrap_or_else(|error| panic!("{error}"))
}

fn edited(text: &str, weights: &[(usize, usize, u32)]) -> String {
    match read(text).edited(&[(0, &patch(weights))]) {
        Ok(edited) => edited.text,
        Err(error) => panic!("{error}: {:?}", error.causes),
    }
}

fn refused(text: &str, weights: &[(usize, usize, u32)]) -> String {
    read(text).edited(&[(0, &patch(weights))]).expect_err("refused").message
}

fn unread(text: &str) -> String {
    Manifest::read(text, None).expect_err("refused").message
}

/// A virtual service with these lines for the destinations of its one route.
fn service(route: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: carts}}\nspec:\n  http:\n  - route:\n{route}"
    )
}

#[test]
fn only_the_digits_change() {
    let text = service(
        "    - destination: {host: carts, subset: old}\n      weight: 100 # all\n    -   weight:   0\n        destination:\n          host: 'carts'\n          subset: new\n",
    );
    assert_eq!(
        edited(&text, &[(0, 0, 80), (0, 1, 20)]),
        text.replace("weight: 100", "weight: 80").replace("weight:   0", "weight:   20")
    );
    assert_eq!(edited(&text, &[(0, 0, 100)]), text);
}

#[test]
fn a_missing_weight_goes_behind_its_destination() {
    for (before, after) in [
        (
            "    - destination:\n        host: a # here\n\n    # there\n    - destination: {host: b}",
            "    - destination:\n        host: a # here\n      weight: 5\n\n    # there\n    - destination: {host: b}\n      weight: 5",
        ),
        (
            "    -\n       destination: {\n  host: a }   \n    - {destination: {host: b},}\n",
            "    -\n       destination: {\n  host: a }   \n       weight: 5\n    - {destination: {host: b}, weight: 5,}\n",
        ),
        (
            "      - destination:\n          host: a\n        headers:\n          x: >-\n             y\n             z\n\n      - weight: # none\n        destination: {host: b}\n",
            "      - destination:\n          host: a\n        headers:\n          x: >-\n             y\n             z\n        weight: 5\n\n      - weight: 5 # none\n        destination: {host: b}\n",
        ),
        (
            "    - {destination: {host: a}, weight: }\n    - weight: ~\n      destination: {host: b}\n...\n",
            "    - {destination: {host: a}, weight: 5 }\n    - weight: 5\n      destination: {host: b}\n...\n",
        ),
    ] {
        let (text, wanted) = (service(before), service(after));
        assert_eq!(edited(&text, &[(0, 0, 5), (0, 1, 5)]), wanted);
        assert_eq!(edited(&text.replace('\n', "\r\n"), &[(0, 0, 5), (0, 1, 5)]), wanted.replace('\n', "\r\n"));
        let marked = format!("\u{feff}{text}");
        assert_eq!(edited(&marked, &[(0, 0, 5), (0, 1, 5)]), format!("\u{feff}{wanted}"));
    }
}

#[test]
fn quotes_stay() {
    let text = service("    - destination: {host: a}\n      weight: \"90\"\n    - {destination: {host: b}, 'weight': '10'}\n");
    let manifest = read(&text);
    assert_eq!(manifest.virtual_services()[0].value.pointer("/spec/http/0/route/0/weight"), Some(&json!("90")));
    assert_eq!(edited(&text, &[(0, 0, 100), (0, 1, 0)]), text.replace("90", "100").replace("10'", "0'"));
}

#[test]
fn json_with_tabs_and_pairs_of_escapes() {
    let text = "{\n\t\"apiVersion\": \"networking.istio.io/v1\", \"kind\": \"VirtualService\",\n\t\"metadata\": {\"name\": \"\\ud83d\\ude00\\/\"},\n\t\"spec\": {\"http\": [{\"route\": [\n\t\t{\"destination\": {\"host\": \"a\"}\n\t\t},\n\t\t{\"weight\":0,\"destination\": {\"host\": \"b\"}}]}]}\n}";
    let after = edited(text, &[(0, 0, 80), (0, 1, 20)]);
    assert_eq!(after, text.replace("\"a\"}", "\"a\"}, \"weight\": 80").replace("\"weight\":0", "\"weight\":20"));
    assert_eq!(read(text).virtual_services()[0].value["metadata"]["name"], "😀/");
}

#[test]
fn objects_are_found_among_documents_and_items() {
    let one = service("    - destination: {host: a}\n      weight: 1\n");
    let item = one.lines().map(|line| format!("  {line}\n")).collect::<String>().replacen("  api", "- api", 1);
    let text = format!(
        "%YAML 1.2\n--- # first\n# nothing\n---\n{one}...\n---\napiVersion: v1\nkind: List\nitems:\n{item}- {{kind: DestinationRule, apiVersion: networking.istio.io/v1, metadata: {{name: r}}}}\n- kind: VirtualService\n  apiVersion: gateway.solo.io/v1\n---\n- kind: VirtualService\n"
    );
    let manifest = read(&text);
    let lines: Vec<usize> = manifest.virtual_services().iter().map(|held| held.line).collect();
    assert_eq!(lines, [5, 18]);
    assert_eq!(manifest.destination_rules().len(), 1);
    assert_eq!(Object::read(manifest.virtual_services()[1].value.clone()).name, "carts");
    let (first, second) = (patch(&[(0, 0, 7)]), patch(&[(0, 0, 8)]));
    let after = manifest.edited(&[(1, &second), (0, &first)]).map(|edited| edited.text);
    assert_eq!(after, Ok(text.replacen("weight: 1", "weight: 7", 1).replacen("weight: 1", "weight: 8", 1)));
    let comments = one.replace("spec:\n", &format!("spec:\n{}", "  # c\n".repeat(300)));
    assert_eq!(edited(&comments, &[(0, 0, 5)]), comments.replace("weight: 1", "weight: 5"));
    for nothing in ["", "# c", "---\n---\n", "\u{feff}", "5"] {
        assert!(read(nothing).virtual_services().is_empty());
    }
}

#[test]
fn what_is_written_elsewhere_is_refused() {
    let alias = service("    - destination: {host: a}\n      weight: &w 50\n    - destination: {host: b}\n      weight: *w\n");
    assert_eq!(refused(&alias, &[(0, 1, 20)]), "line 10: the weight is an alias (`*w`)");
    let error = read(&alias).edited(&[(0, &patch(&[(0, 0, 20)]))]).expect_err("the other one would change too");
    assert_eq!(error.causes, ["line 8: other places may refer to what is anchored here"]);
    let list = service("    - &d\n      destination: {host: a}\n      weight: 1\n  - route: &r\n    - *d\n  - route: *r\n");
    assert_eq!(refused(&list, &[(1, 0, 20)]), "line 11: `0` is an alias (`*d`)");
    assert_eq!(refused(&list, &[(2, 0, 20)]), "line 12: `route` is an alias (`*r`)");
    let merged = service("    - &d\n      destination: {host: a}\n    - <<: *d\n      weight: 1\n    - {<<: *d, weight: 2}\n");
    assert_eq!(
        edited(&merged, &[(0, 1, 5), (0, 2, 6)]),
        merged.replace("weight: 1", "weight: 5").replace("weight: 2", "weight: 6")
    );
    // The others have weights of their own.
    assert_eq!(edited(&merged, &[(0, 0, 20)]), merged.replacen("host: a}\n", "host: a}\n      weight: 20\n", 1));
    let bare = merged.replace("\n      weight: 1", "");
    assert!(refused(&bare, &[(0, 0, 20)]).contains("would not mean"));
    assert_eq!(edited(&bare, &[(0, 1, 20)]), bare.replace("- <<: *d", "- <<: *d\n      weight: 20"));
}

#[test]
fn other_changes_than_weights_are_refused() {
    let text = service("    - destination: {host: a}\n");
    let mut add = Patch::default();
    add.set(["spec", "http", "0", "route", "1"], json!({"destination": {"host": "a", "subset": "new"}, "weight": 20}));
    let error = read(&text).edited(&[(0, &add)]).expect_err("no weight");
    assert_eq!(error.message, "line 1: the route has no such destination, and in a manifest only weights can be changed");
    assert_eq!(error.hints, ["add the destination to the manifest first"]);
    assert!(read(&text).edited(&[(3, &patch(&[]))]).is_err());
    assert_eq!(refused(&text, &[(4, 0, 1)]), "line 6: `4` is not written here, but comes from elsewhere");
}

#[test]
fn texts_that_cannot_be_read_say_where() {
    assert_eq!(
        unread("é: 1\na:\n  x: 1\n  y: 2\n  x: 3\n"),
        "line 5, column 3: the key `x` is written twice; only one of them would count\n   5 |   x: 3\n     |   ^"
    );
    assert!(unread("a: b: c\n").starts_with("line 1, column 5: "), "{}", unread("a: b: c\n"));
    assert!(unread("{\"a\": 1, \"a\": 2}").contains("written twice"));
    assert!(unread("a: 5\t\nb: 1\n").contains("a tab between values"));
    let deep = "[".repeat(200) + &"]".repeat(200);
    assert!(unread(&deep).contains("deep"), "{}", unread(&deep));
    assert!(unread("a: *x\n").starts_with("line 1"));
    assert!(unread("%YAML 3.0\n---\na: 1\n").starts_with("line 1"), "{}", unread("%YAML 3.0\n---\na: 1\n"));
    let mut bomb = "a0: &a0 [x]\n".to_owned();
    for level in 1..20 {
        bomb += &format!("a{level}: &a{level} [{}]\n", vec![format!("*a{}", level - 1); 9].join(", "));
    }
    assert!(unread(&bomb).contains("not YAML"), "{}", unread(&bomb));
}

#[test]
fn scalars_mean_what_the_api_server_would_get() {
    let text = service("    - destination: {host: a, port: {number: 80}, subset: \"1\"}\n")
        + "---\na: !!str 80\nb: 0x10\nc: .nan\nd: 1e3\ne: yes\nf: ~\n1: x\ntrue: -5\ng: !x 7\nh: 1.5\n";
    let manifest = read(&text);
    let meaning = &manifest.text.documents[1].value;
    assert_eq!(
        *meaning,
        json!({"a": "80", "b": 16, "c": null, "d": 1000.0, "e": "yes", "f": null, "1": "x", "true": -5, "g": 7, "h": 1.5})
    );
    let destination = &manifest.virtual_services()[0].value["spec"]["http"][0]["route"][0]["destination"];
    assert_eq!(*destination, json!({"host": "a", "port": {"number": 80}, "subset": "1"}));
}

#[test]
fn many_routes_at_once() {
    let mut text =
        String::from("apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: big}\nspec:\n  http:\n");
    for route in 0..2_000 {
        text += &format!(
            "  - match: [{{uri: {{prefix: /{route}}}}}]\n    route:\n    - destination: {{host: a}}\n      weight: 100\n    - destination:\n        host: b\n"
        );
    }
    let edits: Vec<(usize, usize, u32)> = (0..2_000).flat_map(|route| [(route, 0, 80), (route, 1, 20)]).collect();
    let after = edited(&text, &edits);
    assert_eq!(after, text.replace("weight: 100", "weight: 80").replace("host: b\n", "host: b\n      weight: 20\n"));
}

#[test]
fn depth_is_bounded() {
    for deep in ["[", "{a: ", "- ", "a:\n ", "? "] {
        assert!(Manifest::read(&deep.repeat(50_000), None).is_err(), "{deep}");
    }
    let blocks: String = (0..200).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    assert!(unread(&blocks).contains("deep"), "{}", unread(&blocks));
}
