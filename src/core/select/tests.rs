use super::*;
use crate::error::Kind;
use serde_json::{Value, json};

fn service(http: Value) -> Service {
    let raw = json!({"metadata": {"name": "carts", "namespace": "shop"}, "spec": {"http": http}});
    Service { name: "carts".into(), typed: "carts -n shop".into(), objects: vec![Object::read(raw)] }
}

fn route(name: &str, pairs: &[(&str, u32)]) -> Value {
    let to: Vec<Value> = pairs
        .iter()
        .map(|(subset, weight)| json!({"destination": {"host": "carts", "subset": subset}, "weight": weight}))
        .collect();
    json!({"name": name, "match": [{"uri": {"prefix": format!("/{name}")}}], "route": to})
}

fn chosen(service: &Service, weights: &str, pick: Option<&str>) -> Result<Vec<String>> {
    let pick = pick.map(|text| text.parse().expect("a route"));
    let found = routes(service, &weights.parse().expect("weights"), pick.as_ref())?;
    Ok(found.into_iter().map(|chosen| chosen.route.id.to_string()).collect())
}

#[test]
fn a_route_is_found_by_its_destinations_and_not_by_its_place() {
    let book = service(json!([
        {"match": [{"headers": {"X-group": {"exact": "test"}}}], "route": [{"destination": {"host": "carts", "subset": "new"}}]},
        route("rest", &[("old", 100), ("new", 0)]),
    ]));
    for weights in ["80/20", "old=80,new=20", "new=20,old=80", "carts/old=80,new=20"] {
        assert_eq!(chosen(&book, weights, None), Ok(vec!["http[1]".into()]), "{weights}");
    }
}

#[test]
fn routes_that_stand_alike_move_together_and_others_must_be_chosen() {
    let alike = service(json!([route("a", &[("old", 100), ("new", 0)]), route("b", &[("old", 100), ("new", 0)])]));
    assert_eq!(chosen(&alike, "80/20", None).map(|found| found.len()), Ok(2));
    let apart = service(json!([route("a", &[("old", 100), ("new", 0)]), route("b", &[("old", 50), ("new", 50)])]));
    let error = chosen(&apart, "80/20", None).expect_err("ambiguous");
    assert_eq!(error.kind, Kind::Usage);
    assert!(error.message.contains("http[0] `a`: old 100, new 0 (only uri prefix /a)"), "{error}");
    assert!(error.hints[0].contains("--route a") && error.hints[0].contains("--route all"), "{error:?}");
    for (pick, found) in
        [("a", vec!["http[0]"]), ("1", vec!["http[1]"]), ("http[1]", vec!["http[1]"]), ("http/0", vec!["http[0]"])]
    {
        assert_eq!(chosen(&apart, "80/20", Some(pick)), Ok(found.into_iter().map(String::from).collect()), "{pick}");
    }
    assert_eq!(chosen(&apart, "80/20", Some("all")).map(|found| found.len()), Ok(2));
    for pick in ["c", "7", "tcp[0]"] {
        assert_eq!(chosen(&apart, "80/20", Some(pick)).map_err(|error| error.kind), Err(Kind::NotFound), "{pick}");
    }
}

#[test]
fn what_does_not_fit_is_explained() {
    let two = service(json!([route("a", &[("blue", 100), ("green", 0)])]));
    let error = chosen(&two, "80/20/0", None).expect_err("three weights");
    assert!(error.message.starts_with("3 weights for the 2 destinations of `carts` (http[0]: blue, green)"), "{error}");
    assert_eq!(error.hints, ["name them: `tidegate shift carts -n shop --weights blue=80,green=20`"]);
    let error = chosen(&two, "blue=80,gren=20", None).expect_err("misspelt");
    assert_eq!((error.kind, error.message.as_str()), (Kind::NotFound, "`carts` has no destination `gren`; it has blue, green"));
    assert_eq!(error.hints, ["`tidegate shift carts -n shop --weights blue=80,green=20`"]);
    let error = chosen(&two, "carts=80,blue=20", None).expect_err("several");
    assert!(error.message.contains("`carts` means several destinations"), "{error}");

    let empty = service(json!(null));
    assert!(chosen(&empty, "80/20", None).expect_err("no routes").message.contains("it has no routes"));
    let redirect = service(json!([{"redirect": {"uri": "/x"}}, {"route": []}, {"route": [{"weight": 1}]}]));
    let message = chosen(&redirect, "80/20", None).expect_err("no weights").message;
    for why in ["http[0]: a redirect", "http[1]: no destinations", "http[2]: route[0] has no destination"] {
        assert!(message.contains(why), "{message}");
    }
}

#[test]
fn a_destination_is_added_only_beside_a_single_one() {
    let single = service(json!([route("a", &[("v1", 100)])]));
    assert_eq!(chosen(&single, "v1=90,v2=10", None), Ok(vec!["http[0]".into()]));
    assert!(chosen(&single, "v2=90,v3=10", None).is_err());
    assert!(chosen(&single, "v1=80,v2=10,v3=10", None).is_err());
    assert!(chosen(&single, "90/10", None).is_err());
    let two = service(json!([route("a", &[("v1", 50), ("v2", 50)])]));
    assert!(chosen(&two, "v1=90,v3=10", None).is_err());
}
