use crate::support::*;
use serde_json::Value;
use std::sync::{Arc, Mutex};

const NS: &str = "sockshop-production";

#[test]
fn weights_that_are_none() {
    let sandbox = Sandbox::new();
    let requests = sandbox.requests_of(|| {
        let said = |weights: &str| tidegate("shift carts --weights").arg(weights).on(&sandbox).run().to_string();
        expect![[r#"
            ------- stderr -------
            error: invalid value '80' for '--weights <W/W>': one weight is not a split: write `80/20`, or by name `old=80,new=20`

            For more information, try '--help'.
            [exit status: 2]
        "#]].assert_eq(&said("80"));
        expect![[r#"
            ------- stderr -------
            error: invalid value '80/30' for '--weights <W/W>': the weights sum to 110; they must sum to 100, 1000 or 10000

            For more information, try '--help'.
            [exit status: 2]
        "#]].assert_eq(&said("80/30"));
        expect![[r#"
            ------- stderr -------
            error: invalid value '-1/101' for '--weights <W/W>': `-1` is not a weight: a whole number from 0

            For more information, try '--help'.
            [exit status: 2]
        "#]].assert_eq(&said("-1/101"));
        expect![[r#"
            ------- stderr -------
            error: invalid value 'new=20' for '--weights <W/W>': the weights sum to 20; they must sum to 100, 1000 or 10000

            For more information, try '--help'.
            [exit status: 2]
        "#]].assert_eq(&said("new=20"));
        expect![[r#"
            ------- stderr -------
            error: invalid value 'blue=80,blue=20' for '--weights <W/W>': `blue` is named twice

            For more information, try '--help'.
            [exit status: 2]
        "#]].assert_eq(&said("blue=80,blue=20"));
        expect![[r#"
            ------- stderr -------
            error: invalid value '' for '--weights <W/W>': `` is not a weight: a whole number from 0

            For more information, try '--help'.
            [exit status: 2]
        "#]].assert_eq(&said(""));
        expect![[r#"
            ------- stderr -------
            error: invalid value '80.5/19.5' for '--weights <W/W>': `80.5` is not a weight: a whole number from 0

            For more information, try '--help'.
            [exit status: 2]
        "#]].assert_eq(&said("80.5/19.5"));
        expect![[r#"
            ------- stderr -------
            error: invalid value '80/' for '--weights <W/W>': `` is not a weight: a whole number from 0

            For more information, try '--help'.
            [exit status: 2]
        "#]].assert_eq(&said("80/"));
        expect![[r#"
            ------- stderr -------
            error: invalid value '80/20/' for '--weights <W/W>': `` is not a weight: a whole number from 0

            For more information, try '--help'.
            [exit status: 2]
        "#]].assert_eq(&said("80/20/"));
        expect![[r#"
            ------- stderr -------
            error: invalid value '99999999999999999999/1' for '--weights <W/W>': `99999999999999999999` is not a weight: a whole number from 0

            For more information, try '--help'.
            [exit status: 2]
        "#]].assert_eq(&said("99999999999999999999/1"));
        expect![[r#"
            ------- stderr -------
            error: invalid value 'blue=80,20' for '--weights <W/W>': `20` is not NAME=WEIGHT

            For more information, try '--help'.
            [exit status: 2]
        "#]].assert_eq(&said("blue=80,20"));
    });
    assert_eq!(requests, "");
    tidegate("shift carts").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: the following required arguments were not provided:
          --weights <W/W>

        Usage: tidegate shift --weights <W/W> <SERVICE>...

        For more information, try '--help'.
        [exit status: 2]
    "#]]);
}

#[test]
fn weights_that_do_not_fit_the_route() {
    let sandbox = Sandbox::new();
    tidegate("shift carts --weights 80/20/0").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: 3 weights for the 2 destinations of `carts` (http[0]: blue, green)
        hint: name them: `tidegate shift carts --weights blue=80,green=20`
        [exit status: 2]
    "#]]);
    tidegate("shift carts --weights 40/30/30").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: 3 weights for the 2 destinations of `carts` (http[0]: blue, green)
        hint: name those that share the traffic: `--weights blue=80,green=20`
        [exit status: 2]
    "#]]);
    tidegate("shift carts --weights blue=80,gren=20").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: `carts` has no destination `gren`; it has blue, green
        hint: `tidegate shift carts --weights blue=80,green=20`
        [exit status: 5]
    "#]]);
    tidegate("shift carts --weights blue=80,purple=20").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: `carts` has no destination `purple`; it has blue, green
        [exit status: 5]
    "#]]);
    tidegate("shift carts --weights purple=100").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: `carts` has no destination `purple`; it has blue, green
        [exit status: 5]
    "#]]);
    tidegate("shift carts --weights blue=80,carts/blue=20").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: `--weights` names blue twice
        [exit status: 2]
    "#]]);
    // One destination alone can have everything, but not leave the rest to chance.
    tidegate("shift carts --weights green=100").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: http[0] of `carts`: blue has all the traffic, so there is nothing to divide; name it too
        [exit status: 2]
    "#]]);
    assert_eq!(sandbox.weights(NS, "carts", 0), [100, 0]);
}

#[test]
fn objects_that_hold_nothing() {
    let sandbox = Sandbox::empty();
    virtual_service(&sandbox, "empty", json!({}));
    virtual_service(&sandbox, "null", json!({"hosts": ["null"], "http": null}));
    virtual_service(&sandbox, "routeless", json!({"hosts": ["routeless"], "http": [{"route": []}, {}]}));
    let object = json!({"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": {"name": "specless"}});
    sandbox.rest.post(sandbox::path("shop", "").trim_end_matches('/'), &object).ok();
    for line in ["shift NAME -n shop --weights 80/20", "promote NAME -n shop", "rollback NAME -n shop --to x"] {
        for name in ["empty", "null", "routeless", "specless"] {
            let output = tidegate(&line.replace("NAME", name)).on(&sandbox).run();
            assert_eq!(output.status, Some(5), "{name}: {output}");
        }
    }
    tidegate("status -n shop").on(&sandbox).shows(expect![[r#"
        NAME       ROUTE                  DESTINATION        ROLE    WEIGHT  SHARE   READY   CHANGED
        empty      <none>                 <no routes>        <none>  <none>  <none>  <none>  <unknown>
        null       <none>                 <no routes>        <none>  <none>  <none>  <none>  <unknown>
        routeless  http[0]                <no destinations>  <none>  <none>  <none>  <none>  AGE by tidegate-tests
        routeless  http[1] (unreachable)  <no destinations>  <none>  <none>  <none>  <none>  AGE by tidegate-tests
        specless   <none>                 <no routes>        <none>  <none>  <none>  <none>  <unknown>
        ------- stderr -------
        4 services
    "#]]);
    tidegate("rollback empty -n shop").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: no route of `empty` has weights
        [exit status: 5]
    "#]]);
    tidegate("history empty -n shop").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        No changes recorded for empty.
    "#]]);
    tidegate("shift --all -n shop --weights 80/20").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        No resources found in shop namespace.
    "#]]);
}

#[test]
fn weights_out_of_bounds_are_shown_and_left_alone() {
    let sandbox = Sandbox::empty();
    split(&sandbox, "negative", &[("blue", json!(-5)), ("green", json!(105))]);
    split(&sandbox, "huge", &[("blue", json!(2_147_483_648u64)), ("green", json!(0))]);
    tidegate("shift negative -n shop --weights 80/20 --no-preflight").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: no route of `negative` has weights:
          http[0]: route[0] has the weight -5
        [exit status: 5]
    "#]]);
    tidegate("shift huge -n shop --weights 80/20 --no-preflight").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: no route of `huge` has weights:
          http[0]: route[0] has the weight 2147483648
        [exit status: 5]
    "#]]);
}

#[test]
fn quoted_weights_of_old_objects_are_written_as_numbers() {
    // No server of today takes them; objects stored before 2020 can hold them.
    let cluster = stub::Stub::new(|request| {
        let mut answer = stub::mesh(request, "v1");
        if let stub::Answer::With(200, _, body) = &mut answer {
            *body = body.replace("\"weight\":100", "\"weight\":\"100\"").replace("\"weight\":0", "\"weight\":\"0\"");
        }
        answer
    });
    tidegate("shift carts --weights 80/20").with(cluster.kubeconfig()).shows(expect![[r#"
        virtualservice.networking.istio.io/carts shifted: blue 100 -> 80, green 0 -> 20
    "#]]);
    let patch = cluster.requests().into_iter().find(|request| request.method == "PATCH").expect("a patch");
    let document: Value = serde_json::from_slice(&patch.body).expect("JSON");
    let operations = document.as_array().expect("a list");
    let guard = operations.iter().find(|one| one["path"] == "/spec/http/0/route").expect("a guard");
    assert_eq!(guard["value"][0]["weight"], "100");
    let edits: Vec<&Value> =
        operations.iter().filter(|one| one["path"].as_str().is_some_and(|path| path.ends_with("/weight"))).collect();
    assert_eq!(edits.iter().map(|one| &one["value"]).collect::<Vec<_>>(), [&json!(80), &json!(20)]);
}

/// `carts` with these routes, on a server that does nothing but keep it.
fn keeper(routes: Vec<Value>) -> (stub::Stub, Arc<Mutex<Value>>) {
    let object = json!({
        "apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
        "metadata": {"namespace": "shop", "name": "carts", "uid": "u1", "resourceVersion": "1"},
        "spec": {"hosts": ["carts"], "http": routes},
    });
    let kept = Arc::new(Mutex::new(object));
    let state = kept.clone();
    let cluster = stub::Stub::new(move |request| {
        let mut object = state.lock().expect("not poisoned");
        if request.method == "PATCH" {
            let sent: Vec<Value> = serde_json::from_slice(&request.body).expect("a patch");
            let edits: Vec<Value> = sent.into_iter().filter(|operation| operation["op"] != "test").collect();
            let edits: json_patch::Patch = serde_json::from_value(json!(edits)).expect("RFC 6902");
            json_patch::patch(&mut object, &edits).expect("it applies");
        }
        stub::Answer::json(200, &object)
    });
    (cluster, kept)
}

fn between(blue: u32, green: u32) -> Value {
    let to = |subset: &str, weight: u32| json!({"destination": {"host": "carts", "subset": subset}, "weight": weight});
    json!([to("blue", blue), to("green", green)])
}

#[test]
fn five_thousand_routes() {
    let routes = (0..5000).map(|place| {
        let route = if place == 4321 { between(100, 0) } else { json!([{"destination": {"host": "carts", "subset": "blue"}}]) };
        json!({"name": format!("r{place}"), "match": [{"uri": {"exact": format!("/{place}")}}], "route": route})
    });
    let (cluster, kept) = keeper(routes.collect());
    let before = kept.lock().expect("not poisoned")["spec"].clone();
    tidegate("shift carts --weights 80/20 --no-preflight").with(cluster.kubeconfig()).shows(expect![[r#"
        virtualservice.networking.istio.io/carts shifted: blue 100 -> 80, green 0 -> 20
    "#]]);
    assert_eq!(kept.lock().expect("not poisoned")["spec"]["http"][4321]["route"], between(80, 20));
    tidegate("rollback carts").with(cluster.kubeconfig()).shows(expect![[r#"
        virtualservice.networking.istio.io/carts rolled back: blue 80 -> 100, green 20 -> 0
    "#]]);
    assert_eq!(kept.lock().expect("not poisoned")["spec"], before);
    // What does not fit is told with a screenful of them.
    let output = tidegate("shift carts --weights old=50,new=50 --no-preflight").with(cluster.kubeconfig()).run();
    assert_eq!(output.status, Some(5), "{output}");
    assert!(output.stderr.lines().count() < 30, "{output}");
    let output = tidegate("status carts").with(cluster.kubeconfig()).run();
    assert_eq!(output.stdout.lines().count(), 5002, "{output}");
}

#[test]
fn more_routes_at_once_than_a_patch_can_hold() {
    let routes = (0..2500).map(|place| json!({"match": [{"uri": {"exact": format!("/{place}")}}], "route": between(100, 0)}));
    let (cluster, kept) = keeper(routes.collect());
    tidegate("shift carts --weights 80/20 --no-preflight").with(cluster.kubeconfig()).shows(expect![[r#"
        ------- stderr -------
        error: 2500 routes of virtualservice.networking.istio.io/carts at once are more than the API server takes in one patch (12504 operations, at most 10000)
        hint: choose some of them with `--route`
        [exit status: 2]
    "#]]);
    tidegate("shift carts --weights 80/20 --no-preflight --route 7").with(cluster.kubeconfig()).shows(expect![[r#"
        virtualservice.networking.istio.io/carts shifted: blue 100 -> 80, green 0 -> 20
    "#]]);
    assert_eq!(kept.lock().expect("not poisoned")["spec"]["http"][7]["route"], between(80, 20));
}

#[test]
fn words_that_are_not_known() {
    tidegate("shfit carts --weights 80/20").shows(expect![[r#"
        ------- stderr -------
        error: unrecognized subcommand 'shfit'

          tip: some similar subcommands exist: 'history', 'shift'

        Usage: tidegate [OPTIONS] <COMMAND>

        For more information, try '--help'.
        [exit status: 2]
    "#]]);
    tidegate("shift carts --weigths 80/20").shows(expect![[r#"
        ------- stderr -------
        error: unexpected argument '--weigths' found

          tip: a similar argument exists: '--weights'

        Usage: tidegate shift --weights <W/W> <SERVICE>...

        For more information, try '--help'.
        [exit status: 2]
    "#]]);
    tidegate("sh carts --weights 80/20").shows(expect![[r#"
        ------- stderr -------
        error: unrecognized subcommand 'sh'

          tip: a similar subcommand exists: 'shift'

        Usage: tidegate [OPTIONS] <COMMAND>

        For more information, try '--help'.
        [exit status: 2]
    "#]]);
    tidegate("help nothing").shows(expect![[r#"
        ------- stderr -------
        error: there is no help on `nothing`
        hint: topics: delivery, environment, exit-codes, formats, gates, gitops, rbac, sources, tests, weights
        [exit status: 2]
    "#]]);
    tidegate("help exit-cods").shows(expect![[r#"
        ------- stderr -------
        error: there is no help on `exit-cods`
        hint: `tidegate help exit-codes`
        [exit status: 2]
    "#]]);
    tidegate("completion csh").shows(expect![[r#"
        ------- stderr -------
        error: invalid value 'csh' for '<SHELL>'
          [possible values: bash, elvish, fish, powershell, zsh]

          tip: a similar value exists: 'zsh'

        For more information, try '--help'.
        [exit status: 2]
    "#]]);
}

#[test]
fn control_characters_in_arguments_do_not_come_back() {
    let sandbox = Sandbox::new();
    for argument in ["carts\u{1b}[31m", "vs/\u{7}", "a\nb"] {
        for line in ["status", "history", "shift --weights 80/20", "help"] {
            let output = tidegate(line).arg(argument).on(&sandbox).run();
            assert_eq!(output.status, Some(2), "{output}");
            let told = output.stderr.chars().filter(|letter| *letter != '\n');
            assert!(!told.clone().any(char::is_control), "{output:?}");
        }
    }
    for line in
        ["status -n", "status --context", "shift carts --weights", "shift carts --weights 80/20 --route", "rollback carts --to"]
    {
        let output = tidegate(line).arg("x\u{1b}[31mx").on(&sandbox).run();
        assert!(!output.stderr.contains('\u{1b}'), "{line}: {output:?}");
    }
}
