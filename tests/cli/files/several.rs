//! Directories, several services, overlays and delegates.

use super::*;

const ROOT: &str = "\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop, namespace: web}
spec:
  hosts: [shop.example.com]
  http:
  - match: [{uri: {prefix: /carts}}]
    delegate: {name: carts, namespace: web}
";

const RULE: &str = "\
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: carts}
spec: {host: carts, subsets: [{name: old, labels: {version: v1}}, {name: nwe, labels: {version: v2}}]}
";

#[test]
fn several_services_move_as_one() {
    let both = format!("{CARTS}---\n{}", like_carts("orders"));
    let checkout = Checkout::new(&[("k8s/both.yaml", &both), ("k8s/deep/payment.yml", &like_carts("payment"))]);
    checkout.tidegate("shift carts orders payment -f k8s --weights 80/20 --commit").shows(expect![[r#"
        virtualservice.networking.istio.io/carts    shifted: old 100 -> 80, new 0 -> 20  (k8s/both.yaml)
        virtualservice.networking.istio.io/orders   shifted: old 100 -> 80, new 0 -> 20  (k8s/both.yaml)
        virtualservice.networking.istio.io/payment  shifted: old 100 -> 80, new 0 -> 20  (k8s/deep/payment.yml)
        ------- stderr -------
        committed e1871dc: Shift carts, orders, payment to old 80, new 20
    "#]]);
    expect![[r#"
        Shift carts, orders, payment to old 80, new 20

        carts http[1]: old 100 -> 80, new 0 -> 20
        orders http[1]: old 100 -> 80, new 0 -> 20
        payment http[1]: old 100 -> 80, new 0 -> 20

        Tidegate: shift carts orders payment

    "#]]
    .assert_eq(&checkout.git(&["log", "-1", "--format=%B"]));
    assert_eq!(diff(&both, &checkout.text("k8s/both.yaml")).len(), 4);
    checkout.tidegate("rollback --all -f k8s --commit").shows(expect![[r#"
        virtualservice.networking.istio.io/carts    rolled back: old 80 -> 100, new 20 -> 0  (k8s/both.yaml)
        virtualservice.networking.istio.io/orders   rolled back: old 80 -> 100, new 20 -> 0  (k8s/both.yaml)
        virtualservice.networking.istio.io/payment  rolled back: old 80 -> 100, new 20 -> 0  (k8s/deep/payment.yml)
        ------- stderr -------
        carts: back to de8c6dc (Begin)
        orders: back to de8c6dc (Begin)
        payment: back to de8c6dc (Begin)
        committed ba88fae: Roll carts, orders, payment back to old 100, new 0
    "#]]);
    assert_eq!(checkout.text("k8s/both.yaml"), both);
    checkout.tidegate("rollback --all -f k8s").shows(expect![[r#"
        ------- stderr -------
        No releases found in k8s.
    "#]]);
}

#[test]
fn one_that_cannot_be_written_stops_all() {
    use std::os::unix::fs::PermissionsExt as _;
    let checkout = Checkout::plain(&[("carts.yaml", CARTS), ("orders.yaml", &like_carts("orders"))]);
    fs::set_permissions(checkout.path("orders.yaml"), fs::Permissions::from_mode(0o444)).expect("a mode");
    checkout.tidegate("shift carts orders -f . --weights 80/20").shows(expect![[r#"
        virtualservice.networking.istio.io/carts   shifted: old 100 -> 80, new 0 -> 20  (carts.yaml)
        virtualservice.networking.istio.io/orders  refused: orders.yaml is read-only
        virtualservice.networking.istio.io/carts   undone: old 80 -> 100, new 20 -> 0
        ------- stderr -------
        error: 1 of 2 objects refused the change; all of them stand as they did before
        [exit status: 1]
    "#]]);
    checkout.tidegate("shift orders -f . --weights 80/20").shows(expect![[r#"
        ------- stderr -------
        error: orders.yaml is read-only
        [exit status: 1]
    "#]]);
    checkout.tidegate("rollback orders -f . --to new").shows(expect![[r#"
        ------- stderr -------
        error: rollback failed: orders.yaml is read-only; weights are still old 100, new 0
        [exit status: 20]
    "#]]);
    assert_eq!(checkout.text("carts.yaml"), CARTS);
    assert_eq!(checkout.text("orders.yaml"), like_carts("orders"));
}

#[test]
fn stages_repeat_a_name() {
    let of = |namespace: &str| CARTS.replace("  name: carts\n", &format!("  name: carts\n  namespace: {namespace}\n"));
    let checkout =
        Checkout::plain(&[("stages/dev.yaml", &of("dev")), ("stages/prod.yaml", &of("prod")), ("base/carts.yaml", CARTS)]);
    checkout.tidegate("shift carts -f stages --weights 80/20").shows(expect![[r#"
        ------- stderr -------
        error: 2 virtual services fit `carts`:
          stages/dev.yaml:2 vs/carts in dev
          stages/prod.yaml:2 vs/carts in prod
        hint: choose by namespace: `-n dev`
        [exit status: 2]
    "#]]);
    checkout.tidegate("shift carts -f . --weights 80/20 -n prod").shows(expect![[r#"
        ------- stderr -------
        error: 2 virtual services fit `carts`:
          base/carts.yaml:2 vs/carts in prod
          stages/prod.yaml:2 vs/carts in prod
        hint: choose by file: `-f base/carts.yaml`
        [exit status: 2]
    "#]]);
    checkout.tidegate("shift carts -f stages --weights 80/20 -n prod").shows(expect![[r#"
        virtualservice.networking.istio.io/carts shifted: old 100 -> 80, new 0 -> 20  (stages/prod.yaml)
    "#]]);
    checkout.tidegate("shift carts.dev -f stages --weights 70/30").shows(expect![[r#"
        virtualservice.networking.istio.io/carts shifted: old 100 -> 70, new 0 -> 30  (stages/dev.yaml)
    "#]]);
    checkout.tidegate("shift carts -f stages --weights 80/20 -n test").shows(expect![[r#"
        ------- stderr -------
        error: no virtual service for `carts` in namespace test in stages
        hint: there is one in another namespace: `-n dev` (stages/dev.yaml:2)
        [exit status: 5]
    "#]]);
    checkout.tidegate("shift --all -f stages --weights 80/20").shows(expect![[r#"
        virtualservice.networking.istio.io/carts in dev   shifted: old 70 -> 80, new 30 -> 20  (stages/dev.yaml)
        virtualservice.networking.istio.io/carts in prod  shifted (no change): old 80, new 20  (stages/prod.yaml)
    "#]]);
    checkout.tidegate("status -f .").shows(expect![[r#"
        NAMESPACE  NAME   ROUTE    DESTINATION  WEIGHT   SHARE  FILE
                   carts  http[0]  new          <unset>  100%   base/carts.yaml
                   carts  http[1]  old          100      100%   base/carts.yaml
                   carts  http[1]  new          0        0%     base/carts.yaml
        dev        carts  http[0]  new          <unset>  100%   stages/dev.yaml
        dev        carts  http[1]  old          80       80%    stages/dev.yaml
        dev        carts  http[1]  new          20       20%    stages/dev.yaml
        prod       carts  http[0]  new          <unset>  100%   stages/prod.yaml
        prod       carts  http[1]  old          80       80%    stages/prod.yaml
        prod       carts  http[1]  new          20       20%    stages/prod.yaml
        ------- stderr -------
        3 services
    "#]]);
    assert_eq!(checkout.text("base/carts.yaml"), CARTS);
}

#[test]
fn delegates_are_followed_among_the_files() {
    let delegate = CARTS.replace("  name: carts\n", "  name: carts\n  namespace: web\n").replace("  hosts: [carts]\n", "");
    let checkout = Checkout::plain(&[("root.yaml", ROOT), ("carts.yaml", &delegate)]);
    checkout.tidegate("shift shop -f root.yaml --weights 80/20").shows(expect![[r#"
        ------- stderr -------
        error: virtualservice.networking.istio.io/shop delegates to web/carts, which is not among the files
        hint: name its file or directory with another `-f`
        [exit status: 5]
    "#]]);
    checkout.tidegate("shift shop -f root.yaml -f carts.yaml --weights 80/20").shows(expect![[r#"
        virtualservice.networking.istio.io/carts shifted: old 100 -> 80, new 0 -> 20  (carts.yaml)
    "#]]);
    checkout.tidegate("status shop -f .").shows(expect![[r#"
        NAME   ROUTE    DESTINATION               WEIGHT   SHARE   FILE
        shop   http[0]  <delegates to web/carts>  <none>   <none>  root.yaml
        carts  http[0]  new                       <unset>  100%    carts.yaml
        carts  http[1]  old                       80       80%     carts.yaml
        carts  http[1]  new                       20       20%     carts.yaml
        ------- stderr -------
        2 services
    "#]]);
}

#[test]
fn a_subset_that_the_rules_lack_is_refused() {
    let checkout = Checkout::plain(&[("carts.yaml", CARTS), ("rule.yaml", RULE)]);
    checkout.tidegate("shift carts -f . --weights 80/20").shows(expect![[r#"
        ------- stderr -------
        error: carts has no subset `new`; its destination rules have old, nwe
        hint: `--force` shifts all the same: these requests would be answered 503
        [exit status: 5]
    "#]]);
    checkout.tidegate("shift carts -f carts.yaml --weights 80/20 --dry-run").succeeds();
    checkout.tidegate("shift carts -f . --weights 80/20 --force").shows(expect![[r#"
        virtualservice.networking.istio.io/carts shifted: old 100 -> 80, new 0 -> 20  (carts.yaml)
        ------- stderr -------
        warning: forced: carts has no subset `new`; its destination rules have old, nwe
    "#]]);
}

#[test]
fn what_is_no_manifest_is_left_alone() {
    let checkout = Checkout::plain(&[
        ("k8s/carts.yaml", CARTS),
        ("k8s/broken-orders.yaml", "kind: VirtualService\nmetadata: {name: orders\n"),
        ("k8s/broken-carts.yaml", "kind: VirtualService\nmetadata: {name: carts\n"),
        ("k8s/.hidden/carts.yaml", CARTS),
        ("k8s/carts.txt", CARTS),
        ("k8s/empty.yaml", ""),
        ("k8s/values.yaml", "{{ nothing"),
    ]);
    std::os::unix::fs::symlink("carts.yaml", checkout.path("k8s/link.yaml")).expect("a link");
    checkout.tidegate("shift carts -f k8s --weights 80/20").shows(expect![[r#"
        virtualservice.networking.istio.io/carts shifted: old 100 -> 80, new 0 -> 20  (k8s/carts.yaml)
        ------- stderr -------
        warning: left out: k8s/broken-carts.yaml: line 2, column 11: unclosed bracket '{'
           2 | metadata: {name: carts
             |           ^
    "#]]);
    checkout.tidegate("shift orders -f k8s --weights 80/20").shows(expect![[r#"
        ------- stderr -------
        error: no virtual service for `orders` in k8s
        caused by: k8s/broken-orders.yaml: line 2, column 11: unclosed bracket '{'
           2 | metadata: {name: orders
             |           ^
        hint: there are: carts
        [exit status: 5]
    "#]]);
    checkout.tidegate("shift crats -f k8s/carts.yaml -f k8s/empty.yaml --weights 80/20").shows(expect![[r#"
        ------- stderr -------
        error: no virtual service for `crats` in k8s/carts.yaml, k8s/empty.yaml
        hint: there are: carts
        [exit status: 5]
    "#]]);
    checkout.tidegate("status -f k8s/empty.yaml").shows(expect![[r#"
        ------- stderr -------
        No resources found in k8s/empty.yaml.
    "#]]);
    checkout.tidegate("status -f k8s/broken-carts.yaml").shows(expect![[r#"
        ------- stderr -------
        error: k8s/broken-carts.yaml: line 2, column 11: unclosed bracket '{'
           2 | metadata: {name: carts
             |           ^
        [exit status: 2]
    "#]]);
    checkout.tidegate("status -f nothing.yaml").shows(expect![[r#"
        ------- stderr -------
        error: cannot read nothing.yaml
        caused by: no such file or directory
        [exit status: 2]
    "#]]);
}
