//! Which version of a manifest counts, where the history is not one line of one file.

use super::*;

/// `CARTS` in a namespace.
fn carts_in(namespace: &str) -> String {
    CARTS.replace("  name: carts\n", &format!("  name: carts\n  namespace: {namespace}\n"))
}

#[test]
fn a_rollback_counts_for_the_object_that_it_moved() {
    let both = format!("{}---\n{}", carts_in("east"), carts_in("west"));
    let checkout = Checkout::new(&[("carts.yaml", &both)]);
    for verb in ["promote", "rollback"] {
        for namespace in ["east", "west"] {
            checkout.tidegate(&format!("{verb} carts -f . -n {namespace} --commit")).succeeds();
        }
    }
    assert_eq!(checkout.text("carts.yaml"), both);
    for namespace in ["east", "west"] {
        checkout.tidegate(&format!("rollback carts -f . -n {namespace}")).succeeds();
    }
    assert_eq!(checkout.text("carts.yaml"), both, "nothing is left to roll back");
}

#[test]
fn a_rollback_of_a_templated_name_is_known_again() {
    let carts = CARTS.replace("  name: carts", "  name: {{ .Release.Name }}-carts");
    let checkout = Checkout::new(&[("carts.yaml", &carts)]);
    checkout.tidegate("promote carts -f . --commit").succeeds();
    checkout.tidegate("rollback carts -f . --commit").succeeds();
    checkout.tidegate("rollback carts -f . --commit").succeeds();
    assert_eq!(checkout.text("carts.yaml"), carts);
}

#[test]
fn a_merge_has_the_weights_of_the_side_that_moved_them() {
    let checkout = Checkout::new(&[("shop.yaml", &format!("{CARTS}---\n{}", like_carts("orders")))]);
    checkout.tidegate("promote carts -f . --commit").succeeds();
    checkout.git(&["checkout", "--quiet", "-b", "side"]);
    checkout.tidegate("rollback carts -f . --commit").succeeds();
    checkout.git(&["checkout", "--quiet", "-"]);
    checkout.tidegate("promote orders -f . --commit").env("GIT_COMMITTER_DATE", "2026-01-03T00:00:00Z").succeeds();
    checkout.git(&["merge", "--quiet", "--no-edit", "side"]);
    // The newest commit in which everything goes elsewhere is on the other side.
    checkout.tidegate("rollback carts -f .").shows(expect![[r#"
        virtualservice.networking.istio.io/carts rolled back (no change): old 100, new 0  (shop.yaml)
    "#]]);
}

#[test]
fn what_was_reverted_is_no_way_back() {
    let checkout = Checkout::new(&[("carts.yaml", CARTS)]);
    checkout.tidegate("shift carts -f . --weights 80/20 --commit").succeeds();
    checkout.tidegate("promote carts -f . --commit").succeeds();
    checkout.git(&["revert", "--no-edit", "HEAD"]);
    checkout.tidegate("rollback carts -f . --commit").succeeds();
    assert_eq!(checkout.text("carts.yaml"), CARTS);
}

#[test]
fn what_was_promoted_elsewhere_is_not_promoted_back() {
    let checkout = Checkout::new(&[("carts.yaml", CARTS)]);
    checkout.tidegate("promote carts -f . --commit").succeeds();
    fs::create_dir(checkout.path("k8s")).expect("a directory");
    checkout.git(&["mv", "carts.yaml", "k8s/carts.yaml"]);
    checkout.git(&["commit", "--quiet", "--message=Move"]);
    checkout.tidegate("promote carts -f k8s").shows(expect![[r#"
        ------- stderr -------
        error: no earlier state of `carts` is known: k8s/carts.yaml has its name from 938c568
        hint: name the destination that is to serve: `tidegate promote carts -f k8s --to NAME`
        [exit status: 5]
    "#]]);
}

#[test]
fn weights_that_became_values_keep_their_history() {
    let checkout = Checkout::new(&[("Chart.yaml", "name: shop\n"), ("templates/carts.yaml", CARTS)]);
    checkout.tidegate("promote carts -f . --commit").succeeds();
    checkout.write("values.yaml", "old: 0\nnew: 100\n");
    let text = CARTS.replace("weight:   100", "weight: {{ .Values.old }}").replace("weight: 0", "weight: {{ .Values.new }}");
    checkout.write("templates/carts.yaml", &text);
    checkout.git(&["add", "."]);
    checkout.git(&["commit", "--quiet", "--message=Values"]);
    checkout.tidegate("promote carts -f .").succeeds();
    assert_eq!(checkout.text("values.yaml"), "old: 0\nnew: 100\n");
    checkout.tidegate("rollback carts -f .").succeeds();
    assert_eq!(checkout.text("values.yaml"), "old: 100\nnew: 0\n");
}

#[test]
fn a_commit_that_was_made_stands_though_a_hook_behind_it_takes_too_long() {
    let checkout = Checkout::new(&[("carts.yaml", CARTS)]);
    checkout.hook_at("post-commit", "exec sleep 9");
    checkout.tidegate("shift carts -f . --weights 80/20 --commit --timeout 4s").succeeds();
    assert_eq!(checkout.status(), "");
    assert_eq!(checkout.git(&["log", "--format=%s"]), "Shift carts to old 80, new 20\nBegin\n");
}

#[test]
fn a_hook_that_changes_a_file_and_refuses_it_is_no_success() {
    let tidy = "echo '# tidy' >> carts.yaml; echo 'carts.yaml was changed'; exit 1";
    let checkout = Checkout::new(&[("carts.yaml", CARTS)]);
    checkout.hook(tidy);
    checkout.tidegate("shift carts -f . --weights 80/20 --commit").shows(expect![[r#"
        ------- stderr -------
        error: git refused the commit; carts.yaml could not be put back
        caused by: carts.yaml was changed
        caused by: carts.yaml was changed by somebody else meanwhile
        hint: `git diff` shows what stands
        [exit status: 20]
    "#]]);
    let checkout = Checkout::new(&[("carts.yaml", CARTS), ("orders.yaml", &like_carts("orders"))]);
    checkout.hook(tidy);
    checkout.tidegate("shift carts orders -f . --weights 80/20 --commit").shows(expect![[r#"
        virtualservice.networking.istio.io/carts   shifted: old 100 -> 80, new 0 -> 20  (carts.yaml)
        virtualservice.networking.istio.io/orders  refused: git refused the commit; carts.yaml could not be put back
        virtualservice.networking.istio.io/carts   not undone: git refused the commit; carts.yaml could not be put back
        ------- stderr -------
        error: 1 of 2 objects refused the change; not all could be put back
        caused by: carts.yaml was changed
        hint: `tidegate status carts -f .`; then `tidegate rollback carts -f .`
        [exit status: 20]
    "#]]);
    assert_eq!(checkout.text("orders.yaml"), like_carts("orders"));
}
