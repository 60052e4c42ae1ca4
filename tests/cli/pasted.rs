//! What is printed to be pasted means what it says: this route, this cluster, this namespace.

use crate::support::sandbox::path;
use crate::support::stub::{Answer, Stub};
use crate::support::*;

#[test]
fn a_routes_name_is_a_word_of_the_shell_and_chooses_that_route() {
    let sandbox = Sandbox::empty();
    let to = |old: u32| {
        json!([
            {"destination": {"host": "carts", "subset": "blue"}, "weight": old},
            {"destination": {"host": "carts", "subset": "green"}, "weight": 100 - old},
        ])
    };
    let http = |name: &str| {
        json!({"hosts": ["named"], "http": [
            {"name": name, "match": [{"uri": {"prefix": "/a"}}], "route": to(90)}, {"name": "main", "route": to(100)},
        ]})
    };
    virtual_service(&sandbox, "named", http("$(reboot)\nerror: none"));
    tidegate("shift named -n shop --no-preflight --weights 80/20").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: `named` has 2 routes that this could mean:
          http[0] `$(reboot)\nerror: none`: blue 90, green 10 (only uri prefix /a)
          http[1] `main`: blue 100, green 0
        hint: choose with `--route '$(reboot)
        error: none'`, or take all with `--route all`
        [exit status: 2]
    "#]]);
    // As a name it would mean all of them.
    virtual_service(&sandbox, "other", http("all"));
    tidegate("shift other -n shop --no-preflight --weights 80/20").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: `other` has 2 routes that this could mean:
          http[0] `all`: blue 90, green 10 (only uri prefix /a)
          http[1] `main`: blue 100, green 0
        hint: choose with `--route 'http[0]'`, or take all with `--route all`
        [exit status: 2]
    "#]]);
}

#[test]
fn routes_of_different_delegates_are_chosen_by_their_object() {
    let sandbox = Sandbox::empty();
    let to = |host: &str| {
        json!({"http": [{"route": [
            {"destination": {"host": host, "subset": "blue"}, "weight": 100},
            {"destination": {"host": host, "subset": "green"}, "weight": 0},
        ]}]})
    };
    virtual_service(&sandbox, "one-routes", to("one"));
    virtual_service(&sandbox, "two-routes", to("two"));
    let delegate = |name: &str| json!({"match": [{"uri": {"prefix": format!("/{name}")}}], "delegate": {"name": name}});
    let spec =
        json!({"hosts": ["e.example.com"], "gateways": ["edge"], "http": [delegate("one-routes"), delegate("two-routes")]});
    virtual_service(&sandbox, "edge", spec);
    tidegate("shift edge -n shop --no-preflight --weights 80/20").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: `edge` has 2 routes that this could mean:
          one-routes http[0]: blue 100, green 0
          two-routes http[0]: blue 100, green 0
        hint: name one object, as in `vs/one-routes -n shop`, or take all with `--route all`
        [exit status: 2]
    "#]]);
    assert_eq!(sandbox.weights("shop", "two-routes", 0), [100, 0]);
}

#[test]
fn what_undoes_an_unfinished_change_names_the_cluster() {
    let cluster = Stub::new(|request| match request.method.as_str() {
        "PATCH" => Answer::Hang,
        _ => stub::mesh(request, "v1"),
    });
    let run = tidegate("shift carts --weights 80/20 --timeout 2s --context stub");
    let place = run.home().join("my config");
    std::fs::copy(cluster.kubeconfig(), &place).expect("copied");
    let output = run.arg("--kubeconfig").arg(place.to_string_lossy()).run();
    assert_eq!(output.status, Some(124), "{output}");
    assert!(output.stderr.contains(" undo: `tidegate rollback vs/carts -n shop --context stub --kubeconfig '"), "{output}");
}

#[test]
fn the_way_back_by_hand_names_the_cluster() {
    let cluster = Stub::new(|request| match request.method.as_str() {
        "PATCH" => stub::status(403, "Forbidden", "virtualservices \"carts\" is forbidden"),
        _ => stub::mesh(request, "v1"),
    });
    let output = tidegate("rollback carts --to green --context stub").with(cluster.kubeconfig()).run();
    assert_eq!(output.status, Some(20), "{output}");
    assert!(
        output.stderr.contains("hint: kubectl patch virtualservice carts -n shop --context stub --type=json -p '["),
        "{output}"
    );
}

#[test]
fn ambiguous_names_keep_their_namespace() {
    let sandbox = Sandbox::empty();
    for name in ["first", "second"] {
        let to = json!([{"destination": {"host": "both", "subset": "a"}, "weight": 100}, {"destination": {"host": "both", "subset": "b"}}]);
        virtual_service(&sandbox, name, json!({"hosts": ["both"], "http": [{"route": to}]}));
    }
    let output = tidegate("shift both.shop --weights 80/20").on(&sandbox).run();
    assert_eq!(output.status, Some(2), "{output}");
    assert!(output.stderr.contains("hint: name the object: `vs/first -n shop`"), "{output}");
}

#[test]
fn a_name_with_a_dot_is_told_how_to_be_named() {
    let sandbox = Sandbox::empty();
    split(&sandbox, "carts.v2", &[("blue", json!(100)), ("green", json!(0))]);
    tidegate("shift carts.v2 -n shop --weights 80/20").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: no virtual service for `carts` in namespace v2
        hint: the namespace has no virtual services; name another with `-n NAMESPACE`
        hint: an object of that whole name is `vs/carts.v2`
        [exit status: 5]
    "#]]);
    tidegate("shift vs/carts.v2 -n shop --no-preflight --weights 80/20").on(&sandbox).succeeds();
    let (screen, _) =
        tidegate("shift --all -n shop --no-preflight --weights blue=70,green=30 -y").on(&sandbox).on_a_terminal().end();
    assert!(pty::plain(&screen).contains("`tidegate rollback vs/carts.v2 -n shop` puts "), "{screen}");
}

#[test]
fn names_never_become_a_part_of_an_address() {
    let sandbox = Sandbox::empty();
    split(&sandbox, "carts", &[("blue", json!(100)), ("green", json!(0))]);
    let run = tidegate("shift carts -n shop --weights 80/20 --no-preflight --field-manager x&dryRun=All").on(&sandbox);
    let requests = sandbox.requests_of(|| {
        run.succeeds();
    });
    assert!(requests.ends_with("?fieldManager=x%26dryRun%3DAll 200\n"), "{requests}");
    assert_eq!(sandbox.weights("shop", "carts", 0), [80, 20]);
    for delegate in [
        json!({"name": "../../../pods"}),
        json!({"name": "a?b"}),
        json!({"name": "a b"}),
        json!({"name": "a", "namespace": "../b"}),
    ] {
        let spec = json!({"spec": {"http": [{"delegate": delegate}]}});
        sandbox.rest.merge(&path("shop", "carts"), &spec).ok();
        let output = tidegate("shift carts -n shop --weights 80/20").on(&sandbox).run();
        assert_eq!(output.status, Some(5), "{output}");
        assert!(output.stderr.contains("which names no virtual service"), "{output}");
    }
}
