//! What means nothing without a cluster, and files that cannot be edited.

use super::*;

#[test]
fn flags_that_ask_a_cluster() {
    let checkout = Checkout::plain(&[("carts.yaml", CARTS)]);
    let run = |line: &str| checkout.tidegate(line);
    run("shift -l app=carts -f carts.yaml --weights 80/20").shows(expect![[r#"
        ------- stderr -------
        error: --selector asks a cluster, and -f asks none
        hint: name the services, or `--all`
        [exit status: 2]
    "#]]);
    run("rollback carts -f carts.yaml --to-revision 3").shows(expect![[r#"
        ------- stderr -------
        error: manifests have no revisions: their history is Git's
        hint: without `--to-revision` the newest version counts that sends everything to one destination
        [exit status: 2]
    "#]]);
    run("status -f carts.yaml --watch").shows(expect![[r#"
        ------- stderr -------
        error: the argument '--filename <FILE>' cannot be used with '--watch'

        Usage: tidegate status --filename <FILE> [SERVICE]...

        For more information, try '--help'.
        [exit status: 2]
    "#]]);
    run("status -f carts.yaml -A").shows(expect![[r#"
        ------- stderr -------
        error: the argument '--filename <FILE>' cannot be used with '--all-namespaces'

        Usage: tidegate status --filename <FILE> [SERVICE]...

        For more information, try '--help'.
        [exit status: 2]
    "#]]);
    run("shift carts --weights 80/20 --commit").shows(expect![[r#"
        ------- stderr -------
        error: --commit, --allow-dirty and --values are for manifests
        hint: name them: `-f FILE`, or a directory
        [exit status: 2]
    "#]]);
    run("shift carts -f - -f carts.yaml --weights 80/20").shows(expect![[r#"
        ------- stderr -------
        error: `-f -` edits what comes in, and goes with no other file
        [exit status: 2]
    "#]]);
    run("shift carts -f - --weights 80/20 --commit").shows(expect![[r#"
        ------- stderr -------
        error: what comes in by `-f -` cannot be committed
        [exit status: 2]
    "#]]);
    run("shift carts -f carts.yaml --weights 80/20 --no-preflight --yes --reason none").shows(expect![[r#"
        virtualservice.networking.istio.io/carts shifted: old 100 -> 80, new 0 -> 20  (carts.yaml)
        ------- stderr -------
        warning: --reason goes into the message of a commit, and without --commit none is made
    "#]]);
}

#[test]
fn texts_that_cannot_be_edited() {
    let anchored = CARTS.replace("weight:   100", "weight: &all 100").replace("weight: 0", "weight: *all");
    let checkout = Checkout::plain(&[
        ("single.yaml", &CARTS.replace("    - {destination: {host: carts, subset: new}, weight: 0}\n", "")),
        ("anchored.yaml", &anchored),
        ("twice.yaml", &CARTS.replace("  hosts: [carts]\n", "  hosts: [carts]\n  hosts: [carts]\n")),
    ]);
    checkout.tidegate("shift carts -f single.yaml --weights old=80,new=20").shows(expect![[r#"
        ------- stderr -------
        error: `carts` has 2 routes that this could mean:
          http[0]: everything to new (only x-group: test)
          http[1]: everything to old
        hint: choose with `--route 'http[0]'`, or take all with `--route all`
        [exit status: 2]
    "#]]);
    checkout.tidegate("shift carts -f anchored.yaml --weights 80/20").shows(expect![[r#"
        ------- stderr -------
        error: anchored.yaml: line 15: the weight is an alias (`*all`)
        hint: write the number in its place first
        [exit status: 2]
    "#]]);
    checkout.tidegate("shift carts -f twice.yaml --weights 80/20").shows(expect![[r#"
        ------- stderr -------
        error: twice.yaml: line 8, column 3: the key `hosts` is written twice; only one of them would count
           8 |   hosts: [carts]
             |   ^
        [exit status: 2]
    "#]]);
    fs::write(checkout.path("latin.yaml"), b"# caf\xe9\n").expect("a file");
    checkout.tidegate("status -f latin.yaml").shows(expect![[r#"
        ------- stderr -------
        error: latin.yaml is not UTF-8 text
        [exit status: 2]
    "#]]);
    let pipe = checkout.path("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo").success());
    let writer = std::thread::spawn(move || fs::write(pipe, CARTS));
    checkout.tidegate("shift carts -f pipe --weights 80/20").shows(expect![[r#"
        ------- stderr -------
        error: pipe is no file that can be edited
        hint: with `-f -` what comes in is edited and goes out
        [exit status: 2]
    "#]]);
    writer.join().expect("ends").expect("is read");
}
