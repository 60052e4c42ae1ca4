use crate::support::*;

#[test]
fn lists_what_was_changed_by_whom_and_why() {
    let sandbox = Sandbox::new();
    tidegate("history carts").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        No changes recorded for carts.
    "#]]);
    tidegate("shift carts --weights 80/20 --reason first").on(&sandbox).succeeds();
    tidegate("promote carts").on(&sandbox).env("TIDEGATE_BY", "ci (job 7)").succeeds();
    tidegate("rollback carts --reason").arg("5xx at checkout").on(&sandbox).succeeds();
    tidegate("history carts").on(&sandbox).shows(expect![[r#"
        REVISION  CHANGED                                 VERB      WEIGHTS                    REASON
        1         TIME by kubectl-create  found     http[0] blue 100, green 0  <none>
        2         TIME by alice           shift     http[0] blue 80, green 20  first
        3         TIME by ci (job 7)      promote   http[0] blue 0, green 100  <none>
        4*        TIME by alice           rollback  http[0] blue 100, green 0  5xx at checkout
    "#]]);
    tidegate("history carts -o json").on(&sandbox).shows(expect![[r#"
        [
          {
            "revision": 1,
            "at": "TIME",
            "by": "kubectl-create",
            "verb": "found",
            "routes": {
              "http[0]": {
                "blue": 100,
                "green": 0
              }
            },
            "current": false
          },
          {
            "revision": 2,
            "at": "TIME",
            "by": "alice",
            "verb": "shift",
            "routes": {
              "http[0]": {
                "blue": 80,
                "green": 20
              }
            },
            "reason": "first",
            "current": false
          },
          {
            "revision": 3,
            "at": "TIME",
            "by": "ci (job 7)",
            "verb": "promote",
            "routes": {
              "http[0]": {
                "blue": 0,
                "green": 100
              }
            },
            "current": false
          },
          {
            "revision": 4,
            "at": "TIME",
            "by": "alice",
            "verb": "rollback",
            "routes": {
              "http[0]": {
                "blue": 100,
                "green": 0
              }
            },
            "reason": "5xx at checkout",
            "current": true
          }
        ]
    "#]]);
    tidegate("history carts -o yaml").on(&sandbox).shows(expect![[r#"
        - revision: 1
          at: TIME
          by: kubectl-create
          verb: found
          routes:
            http[0]:
              blue: 100
              green: 0
          current: false
        - revision: 2
          at: TIME
          by: alice
          verb: shift
          routes:
            http[0]:
              blue: 80
              green: 20
          reason: first
          current: false
        - revision: 3
          at: TIME
          by: ci (job 7)
          verb: promote
          routes:
            http[0]:
              blue: 0
              green: 100
          current: false
        - revision: 4
          at: TIME
          by: alice
          verb: rollback
          routes:
            http[0]:
              blue: 100
              green: 0
          reason: 5xx at checkout
          current: true
    "#]]);
    tidegate("history carts -o name").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/carts
    "#]]);
}

#[test]
fn keeps_the_last_twenty_changes() {
    let sandbox = Sandbox::new();
    for step in 1..=23 {
        tidegate("shift carts --no-preflight --weights").arg(format!("{}/{step}", 100 - step)).on(&sandbox).succeeds();
    }
    let output = tidegate("history carts").on(&sandbox).succeeds();
    let lines: Vec<&str> = output.stdout.lines().skip(1).filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(lines.len(), 20);
    assert_eq!((lines[0], lines[19]), ("5", "24*"));
}

#[test]
fn a_history_that_cannot_be_read_is_begun_again() {
    let sandbox = Sandbox::new();
    let annotation = json!({"metadata": {"annotations": {"tidegate/history": "[{]"}}});
    sandbox.rest.merge(&sandbox::path("sockshop-production", "carts"), &annotation).ok();
    tidegate("history carts").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        No changes recorded for carts.
    "#]]);
    tidegate("shift carts --weights 80/20").on(&sandbox).succeeds();
    tidegate("history carts").on(&sandbox).shows(expect![[r#"
        REVISION  CHANGED                                 VERB   WEIGHTS                    REASON
        1         TIME by kubectl-create  found  http[0] blue 100, green 0  <none>
        2*        TIME by alice           shift  http[0] blue 80, green 20  <none>
    "#]]);
}
