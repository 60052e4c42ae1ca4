//! Git is the history of manifests.

use super::*;
use std::process::Stdio;

#[test]
fn a_release_from_start_to_end() {
    let checkout = Checkout::new(&[("carts.yaml", CARTS)]);
    let run = |line: &str| checkout.tidegate(&format!("{line} -f carts.yaml --commit"));
    run("shift carts --weights 80/20").arg("--reason").arg("p95 is fine").shows(expect![[r#"
        virtualservice.networking.istio.io/carts shifted: old 100 -> 80, new 0 -> 20  (carts.yaml)
        ------- stderr -------
        committed 7c8bd15: Shift carts to old 80, new 20
    "#]]);
    expect![[r#"
        alice
        Shift carts to old 80, new 20

        carts http[1]: old 100 -> 80, new 0 -> 20

        p95 is fine

        Tidegate: shift carts

    "#]]
    .assert_eq(&checkout.git(&["log", "-1", "--format=%an%n%B"]));
    run("shift carts --weights 50/50").succeeds();
    run("promote carts").shows(expect![[r#"
        virtualservice.networking.istio.io/carts promoted: old 50 -> 0, new 50 -> 100  (carts.yaml)
        ------- stderr -------
        committed ac7ef8e: Promote carts: old 0, new 100
    "#]]);
    // Run again, it does not go on to the other side.
    run("promote carts").shows(expect![[r#"
        virtualservice.networking.istio.io/carts promoted (no change): old 0, new 100  (carts.yaml)
    "#]]);
    run("rollback carts").shows(expect![[r#"
        virtualservice.networking.istio.io/carts rolled back: old 0 -> 100, new 100 -> 0  (carts.yaml)
        ------- stderr -------
        carts: back to 5d84ab3 (Begin)
        committed 5cd90d4: Roll carts back to old 100, new 0
    "#]]);
    assert_eq!(checkout.text("carts.yaml"), CARTS);
    run("rollback carts").shows(expect![[r#"
        virtualservice.networking.istio.io/carts rolled back (no change): old 100, new 0  (carts.yaml)
    "#]]);
    run("promote carts").shows(expect![[r#"
        ------- stderr -------
        error: the last release of `carts` was rolled back; none is in progress
        hint: `tidegate promote carts -f carts.yaml --to NAME` gives NAME everything all the same
        [exit status: 2]
    "#]]);
    expect![[r#"
        Roll carts back to old 100, new 0
        Promote carts: old 0, new 100
        Shift carts to old 50, new 50
        Shift carts to old 80, new 20
        Begin
    "#]]
    .assert_eq(&checkout.git(&["log", "--format=%s"]));
    assert_eq!(checkout.status(), "");
}

#[test]
fn a_commit_that_was_asked_for_and_cannot_be_made_is_no_success() {
    let checkout = Checkout::new(&[("carts.yaml", CARTS)]);
    checkout.tidegate("shift carts -f carts.yaml --weights 80/20").succeeds();
    checkout.tidegate("shift carts -f carts.yaml --weights 80/20 --commit").shows(expect![[r#"
        ------- stderr -------
        error: the weights are as wanted, but carts.yaml has changes that are not committed
        hint: commit it with `git commit`
        [exit status: 2]
    "#]]);
    checkout.git(&["commit", "-qam", "by hand"]);
    checkout.tidegate("shift carts -f carts.yaml --weights 80/20 --commit").succeeds();
}

#[test]
fn what_is_not_committed_is_not_touched() {
    let checkout = Checkout::new(&[("carts.yaml", CARTS), (".gitignore", "made\n")]);
    let edited = CARTS.replace("# The", "# the");
    checkout.write("carts.yaml", &edited);
    checkout.write("made/carts.yaml", CARTS);
    checkout.write("new.yaml", CARTS);
    checkout.tidegate("shift carts -f carts.yaml --weights 80/20").shows(expect![[r#"
        ------- stderr -------
        error: carts.yaml has changes that are not committed
        hint: commit it first, or give `--allow-dirty`
        [exit status: 2]
    "#]]);
    checkout.tidegate("shift carts -f new.yaml --weights 80/20").shows(expect![[r#"
        ------- stderr -------
        error: new.yaml is not committed yet
        hint: commit it first, or give `--allow-dirty`
        [exit status: 2]
    "#]]);
    checkout.tidegate("shift carts -f made --weights 80/20").shows(expect![[r#"
        ------- stderr -------
        error: made/carts.yaml is ignored by Git, so it is not committed
        hint: commit it first, or give `--allow-dirty`
        [exit status: 2]
    "#]]);
    checkout.tidegate("shift carts -f new.yaml --weights 80/20 --allow-dirty --commit").shows(expect![[r#"
        ------- stderr -------
        error: new.yaml is not committed yet
        hint: commit it first
        [exit status: 2]
    "#]]);
    assert_eq!(checkout.text("carts.yaml"), edited);
    assert_eq!(checkout.text("new.yaml"), CARTS);
    checkout.tidegate("shift carts -f carts.yaml --weights 80/20 --allow-dirty").shows(expect![[r#"
        virtualservice.networking.istio.io/carts shifted: old 100 -> 80, new 0 -> 20  (carts.yaml)
    "#]]);
    // What stands already needs no writing.
    checkout.tidegate("shift carts -f carts.yaml --weights 80/20").shows(expect![[r#"
        virtualservice.networking.istio.io/carts shifted (no change): old 80, new 20  (carts.yaml)
    "#]]);
}

#[test]
fn a_commit_holds_the_files_and_nothing_else() {
    let checkout = Checkout::new(&[("carts.yaml", CARTS), ("other", "a\n")]);
    checkout.write("other", "b\n");
    checkout.git(&["add", "other"]);
    checkout.tidegate("shift carts -f carts.yaml --weights 80/20 --commit").succeeds();
    assert_eq!(checkout.git(&["show", "--format=", "--name-only"]), "carts.yaml\n");
    assert_eq!(checkout.status(), "M  other\n");
}

#[test]
fn a_hook_that_refuses_leaves_the_files_as_they_were() {
    let checkout = Checkout::new(&[("carts.yaml", CARTS), ("orders.yaml", &like_carts("orders"))]);
    checkout.hook("echo 'the policy forbids it' >&2\nexit 1");
    checkout.tidegate("shift carts -f . --weights 80/20 --commit").shows(expect![[r#"
        ------- stderr -------
        error: git refused the commit; carts.yaml is as before
        caused by: the policy forbids it
        [exit status: 1]
    "#]]);
    checkout.tidegate("shift carts orders -f . --weights 80/20 --commit").shows(expect![[r#"
        virtualservice.networking.istio.io/carts   refused: git refused the commit; carts.yaml, orders.yaml are as before
        virtualservice.networking.istio.io/orders  refused: git refused the commit; carts.yaml, orders.yaml are as before
        ------- stderr -------
        error: 2 of 2 objects refused the change; all of them stand as they did before
        caused by: the policy forbids it
        [exit status: 1]
    "#]]);
    checkout.tidegate("rollback carts -f . --to new --commit").shows(expect![[r#"
        ------- stderr -------
        error: rollback failed: git refused the commit; carts.yaml is as before; weights are still old 100, new 0
        caused by: the policy forbids it
        [exit status: 20]
    "#]]);
    assert_eq!(checkout.status(), "");
    assert_eq!(checkout.text("carts.yaml"), CARTS);
}

#[test]
fn a_hook_that_takes_too_long_is_not_waited_for() {
    let checkout = Checkout::new(&[("carts.yaml", CARTS)]);
    checkout.hook("exec sleep 5");
    checkout.tidegate("shift carts -f . --weights 80/20 --commit --timeout 1s").shows(expect![[r#"
        ------- stderr -------
        error: `git` did not end in time (--timeout); carts.yaml is as before
        [exit status: 124]
    "#]]);
    assert_eq!(checkout.status(), "");
    // What it leaves running is not waited for either.
    checkout.hook("sleep 5 &");
    checkout.tidegate("shift carts -f . --weights 80/20 --commit --timeout 0").succeeds();
    assert_eq!(checkout.status(), "");
}

#[test]
fn an_interrupted_commit_leaves_no_lock() {
    let checkout = Checkout::new(&[("carts.yaml", CARTS)]);
    checkout.hook("touch begun; exec sleep 5");
    let run = checkout.tidegate("shift carts -f carts.yaml --weights 80/20 --commit");
    let mut command = run.command();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().expect("the program starts");
    eventually("the hook runs", || checkout.path("begun").exists().then_some(()));
    interrupt(&child);
    expect![[r#"
        ------- stderr -------
        error: interrupted while git was to commit carts.yaml
        hint: `git status` and `git log` say what came of it
        [exit status: 130]
    "#]]
    .assert_eq(&run::finish(child).to_string());
    let lock = || {
        fs::read_dir(checkout.path(".git"))
            .expect("a directory")
            .flatten()
            .any(|one| one.path().extension().is_some_and(|end| end == "lock"))
    };
    eventually("git has ended", || (!lock()).then_some(()));
}

#[test]
fn without_git_nobody_knows_what_is_committed() {
    let checkout = Checkout::new(&[("carts.yaml", CARTS)]);
    let shift =
        |line: &str| checkout.tidegate(&format!("shift carts -f carts.yaml --weights 80/20 {line}")).env("PATH", "/nowhere");
    shift("").shows(expect![[r#"
        ------- stderr -------
        error: cannot run `git`
        caused by: no such file or directory
        hint: with `--allow-dirty` it need not be known whether carts.yaml is committed
        [exit status: 1]
    "#]]);
    shift("--commit --allow-dirty").shows(expect![[r#"
        ------- stderr -------
        error: cannot run `git`
        caused by: no such file or directory
        [exit status: 1]
    "#]]);
    assert_eq!(checkout.text("carts.yaml"), CARTS);
    shift("--allow-dirty").succeeds();
    let all = checkout.tidegate("rollback --all -f carts.yaml").env("PATH", "/nowhere").run();
    assert_eq!(all.status, Some(1), "{all}");
    checkout.tidegate("rollback carts -f carts.yaml").env("PATH", "/nowhere").shows(expect![[r#"
        ------- stderr -------
        error: cannot run `git`
        caused by: no such file or directory
        hint: name the destination that is to serve: `tidegate rollback carts -f carts.yaml --to NAME`
        [exit status: 1]
    "#]]);
    // Outside of a work tree Git is not asked at all.
    let plain = Checkout::plain(&[("carts.yaml", CARTS)]);
    plain.tidegate("shift carts -f carts.yaml --weights 80/20").env("PATH", "/nowhere").succeeds();
    plain.tidegate("shift carts -f carts.yaml --weights 70/30 --commit").shows(expect![[r#"
        ------- stderr -------
        error: carts.yaml is in no Git work tree: there is nothing to commit to
        [exit status: 2]
    "#]]);
    plain.tidegate("rollback --all -f carts.yaml").shows(expect![[r#"
        ------- stderr -------
        error: no earlier state of `carts` is known: carts.yaml is in no Git work tree
        hint: name the destination that is to serve: `tidegate rollback carts -f carts.yaml --to NAME`
        [exit status: 5]
    "#]]);
    plain.tidegate("promote --all -f carts.yaml").shows(expect![[r#"
        ------- stderr -------
        No releases found in carts.yaml.
    "#]]);
    plain.tidegate("rollback carts -f carts.yaml").shows(expect![[r#"
        ------- stderr -------
        error: no earlier state of `carts` is known: carts.yaml is in no Git work tree
        hint: name the destination that is to serve: `tidegate rollback carts -f carts.yaml --to NAME`
        [exit status: 5]
    "#]]);
}

#[test]
fn the_way_back_is_what_served_before() {
    let checkout = Checkout::new(&[("carts.yaml", CARTS)]);
    let to = |weights: &str, message: &str| {
        checkout.tidegate(&format!("shift carts -f carts.yaml --weights {weights}")).succeeds();
        checkout.git(&["commit", "--quiet", "--all", &format!("--message={message}")]);
    };
    to("90/10", "A tenth");
    to("0/100", "All");
    checkout.tidegate("rollback carts -f carts.yaml --dry-run").shows(expect![[r#"
        carts.yaml
          carts  http[1]  old 0 -> 100   new 100 -> 0
                 http[0]  untouched: x-group: test -> new
        virtualservice.networking.istio.io/carts rolled back (dry run): old 0 -> 100, new 100 -> 0  (carts.yaml)
        ------- stderr -------
        carts: back to 5d84ab3 (Begin)
    "#]]);
    // By hand, and not committed: where the next step leads is uncertain.
    checkout.tidegate("shift carts -f carts.yaml --weights 100/0").succeeds();
    checkout.tidegate("rollback carts -f carts.yaml --allow-dirty").shows(expect![[r#"
        ------- stderr -------
        error: it is not certain where `carts` is to go: what is not committed stands as it did in 5d84ab3, and sends everything to old
        hint: name the destination that is to serve: `tidegate rollback carts -f carts.yaml --to NAME`
        [exit status: 2]
    "#]]);
    checkout.git(&["checkout", "--quiet", "carts.yaml"]);
    to("60/40", "Some");
    to("0/100", "Back");
    checkout.tidegate("rollback carts -f carts.yaml").shows(expect![[r#"
        virtualservice.networking.istio.io/carts rolled back (no change): old 0, new 100  (carts.yaml)
    "#]]);
    // Other routes than then: nobody knows which is which.
    let text =
        checkout.text("carts.yaml").replace("x-group", "x-team").replace("host: carts, subset: old", "host: carts, subset: v1");
    checkout.write("carts.yaml", &text);
    checkout.git(&["commit", "--quiet", "--all", "--message=Other routes"]);
    checkout.tidegate("rollback carts -f carts.yaml").shows(expect![[r#"
        ------- stderr -------
        error: `carts` has other routes now than in 15cf574, which it would go back to: http[1]
        hint: name the destination that is to serve: `tidegate rollback carts -f carts.yaml --to NAME`
        [exit status: 6]
    "#]]);
}

#[test]
fn routes_that_moved_are_found_again() {
    let checkout = Checkout::new(&[("carts.yaml", CARTS)]);
    checkout.tidegate("shift carts -f carts.yaml --weights 0/100 --commit").succeeds();
    let more = "  http:\n  - match: [{uri: {prefix: /v2}}]\n    route: [{destination: {host: carts, subset: new}}]\n";
    checkout.write("carts.yaml", &checkout.text("carts.yaml").replace("  http:\n", more));
    checkout.git(&["commit", "--quiet", "--all", "--message=A route more"]);
    checkout.tidegate("rollback carts -f carts.yaml").shows(expect![[r#"
        virtualservice.networking.istio.io/carts rolled back: old 0 -> 100, new 100 -> 0  (carts.yaml)
        ------- stderr -------
        carts: back to 5d84ab3 (Begin)
    "#]]);
    assert_eq!(checkout.text("carts.yaml"), CARTS.replace("  http:\n", more));
}

#[test]
fn a_shallow_clone_says_what_it_lacks() {
    let origin = Checkout::new(&[("carts.yaml", CARTS)]);
    origin.tidegate("shift carts -f carts.yaml --weights 0/100 --commit").succeeds();
    let clone = Checkout::plain(&[]);
    clone.git(&["clone", "--quiet", "--depth=1", &format!("file://{}", origin.path("").display()), "."]);
    clone.tidegate("rollback carts -f carts.yaml").shows(expect![[r#"
        ------- stderr -------
        error: no earlier state of `carts` is known: the clone has 1 of the file's commits (`git fetch --unshallow` gets all of them)
        hint: name the destination that is to serve: `tidegate rollback carts -f carts.yaml --to NAME`
        [exit status: 5]
    "#]]);
    // It may be promoted already.
    clone.tidegate("promote carts -f carts.yaml").shows(expect![[r#"
        ------- stderr -------
        error: no earlier state of `carts` is known: the clone has 1 of the file's commits (`git fetch --unshallow` gets all of them)
        hint: name the destination that is to serve: `tidegate promote carts -f carts.yaml --to NAME`
        [exit status: 5]
    "#]]);
    clone.git(&["fetch", "--quiet", "--unshallow"]);
    clone.tidegate("promote carts -f carts.yaml").shows(expect![[r#"
        virtualservice.networking.istio.io/carts promoted (no change): old 0, new 100  (carts.yaml)
    "#]]);
    clone.tidegate("rollback carts -f carts.yaml").shows(expect![[r#"
        virtualservice.networking.istio.io/carts rolled back: old 0 -> 100, new 100 -> 0  (carts.yaml)
        ------- stderr -------
        carts: back to 5d84ab3 (Begin)
    "#]]);
}

#[test]
fn a_module_has_its_own_history() {
    let inner = Checkout::new(&[("carts.yaml", CARTS)]);
    let outer = Checkout::new(&[("orders.yaml", &like_carts("orders"))]);
    let address = format!("file://{}", inner.path("").display());
    outer.git(&["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", &address, "inner"]);
    outer.git(&["commit", "--quiet", "--message=Inner"]);
    outer.tidegate("shift carts -f inner --weights 80/20 --commit").shows(expect![[r#"
        virtualservice.networking.istio.io/carts shifted: old 100 -> 80, new 0 -> 20  (inner/carts.yaml)
        ------- stderr -------
        committed 6d8ea5c: Shift carts to old 80, new 20
    "#]]);
    assert_eq!(outer.git(&["-C", "inner", "log", "-1", "--format=%s"]), "Shift carts to old 80, new 20\n");
    outer.tidegate("shift carts orders -f . --weights 70/30 --commit").shows(expect![[r#"
        ------- stderr -------
        error: orders.yaml is in another Git work tree than the files before it
        hint: leave out `--commit`, and commit in each
        [exit status: 2]
    "#]]);
    // A hook's environment names another repository.
    let run = outer.tidegate("shift orders -f orders.yaml --weights 80/20").env("GIT_DIR", inner.path(".git"));
    run.env("GIT_INDEX_FILE", inner.path("none")).succeeds();
}
