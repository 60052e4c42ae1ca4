//! Templates of charts: a weight that is a plain reference is set where its value stands.

use super::*;

const VALUES: &str = "\
# Who gets how much.
orders: {old: 100, new: 0} # of orders
shared: {old: 100, new: 0}
";

fn template(service: &str, of: &str) -> String {
    let text = like_carts(service).replace("weight:   100", &format!("weight: {{{{ .Values.{of}.old }}}}"));
    let text = text.replace("weight: 0", &format!("weight: {{{{ .Values.{of}.new }}}}"));
    format!("{{{{- if .Values.enabled }}}}\n{text}{{{{- end }}}}\n")
}

fn chart() -> Checkout {
    Checkout::new(&[
        ("chart/Chart.yaml", "name: shop\n"),
        ("chart/values.yaml", VALUES),
        ("chart/templates/_helpers.tpl", "{{- define \"x\" }}\nkind: VirtualService\n{{- end }}\n"),
        ("chart/templates/orders.yaml", &template("orders", "orders")),
        ("chart/templates/carts.yaml", &template("carts", "shared")),
        ("chart/templates/payment.yaml", &template("payment", "shared")),
    ])
}

#[test]
fn the_value_is_edited_and_the_template_is_not() {
    let checkout = chart();
    checkout.tidegate("shift orders -f chart --weights 80/20 --diff --commit").shows(expect![[r#"
        --- a/chart/values.yaml
        +++ b/chart/values.yaml
        @@ -1,3 +1,3 @@
         # Who gets how much.
        -orders: {old: 100, new: 0} # of orders
        +orders: {old: 80, new: 20} # of orders
         shared: {old: 100, new: 0}
        virtualservice.networking.istio.io/orders shifted: old 100 -> 80, new 0 -> 20  (chart/values.yaml)
        ------- stderr -------
        committed 7501ae1: Shift orders to old 80, new 20
    "#]]);
    assert_eq!(checkout.git(&["show", "--format=", "--name-only"]), "chart/values.yaml\n");
    checkout.tidegate("status -f chart").shows(expect![[r#"
        NAME     ROUTE    DESTINATION  WEIGHT   SHARE  FILE
        carts    http[0]  new          <unset>  100%   chart/templates/carts.yaml
        carts    http[1]  old          100      100%   chart/templates/carts.yaml
        carts    http[1]  new          0        0%     chart/templates/carts.yaml
        orders   http[0]  new          <unset>  100%   chart/templates/orders.yaml
        orders   http[1]  old          80       80%    chart/templates/orders.yaml
        orders   http[1]  new          20       20%    chart/templates/orders.yaml
        payment  http[0]  new          <unset>  100%   chart/templates/payment.yaml
        payment  http[1]  old          100      100%   chart/templates/payment.yaml
        payment  http[1]  new          0        0%     chart/templates/payment.yaml
        ------- stderr -------
        3 services
    "#]]);
    // The history of the values is the history of the service.
    checkout.tidegate("rollback orders -f chart/templates/orders.yaml --commit").shows(expect![[r#"
        virtualservice.networking.istio.io/orders rolled back: old 80 -> 100, new 20 -> 0  (chart/values.yaml)
        ------- stderr -------
        orders: back to 06c3b68 (Begin)
        committed aa04609: Roll orders back to old 100, new 0
    "#]]);
    assert_eq!(checkout.text("chart/values.yaml"), VALUES);
}

#[test]
fn a_value_that_moves_others_is_refused() {
    let checkout = chart();
    checkout.tidegate("shift carts -f chart --weights 80/20").shows(expect![[r#"
        ------- stderr -------
        error: chart/templates/payment.yaml:3: the same value of the chart would move payment, too; nothing was written
        hint: give each of them a value of its own, or name both
        [exit status: 1]
    "#]]);
    checkout.tidegate("shift carts -f chart/templates/carts.yaml --weights 80/20").shows(expect![[r#"
        ------- stderr -------
        error: chart/templates/payment.yaml:3: the same value of the chart would move payment, too; nothing was written
        hint: give each of them a value of its own, or name both
        [exit status: 1]
    "#]]);
    assert_eq!(checkout.status(), "");
    checkout.tidegate("shift carts payment orders -f chart --weights 80/20").shows(expect![[r#"
        virtualservice.networking.istio.io/carts    shifted: old 100 -> 80, new 0 -> 20  (chart/values.yaml)
        virtualservice.networking.istio.io/payment  shifted: old 100 -> 80, new 0 -> 20  (chart/values.yaml)
        virtualservice.networking.istio.io/orders   shifted: old 100 -> 80, new 0 -> 20  (chart/values.yaml)
    "#]]);
    assert_eq!(checkout.text("chart/values.yaml"), VALUES.replace("old: 100, new: 0", "old: 80, new: 20"));
}

#[test]
fn another_file_of_values_can_be_named() {
    let checkout = chart();
    checkout.write("prod.yaml", "orders:\n  old: 60\n  new: 40\nshared: {old: 1, new: 99}\n");
    checkout.tidegate("shift orders -f chart --values prod.yaml --weights 50/50 --allow-dirty").shows(expect![[r#"
        virtualservice.networking.istio.io/orders shifted: old 60 -> 50, new 40 -> 50  (prod.yaml)
    "#]]);
    assert_eq!(checkout.text("prod.yaml"), "orders:\n  old: 50\n  new: 50\nshared: {old: 1, new: 99}\n");
    assert_eq!(checkout.text("chart/values.yaml"), VALUES);
    checkout.tidegate("shift orders -f chart --values none.yaml --weights 50/50").shows(expect![[r#"
        ------- stderr -------
        error: cannot read none.yaml
        caused by: no such file or directory
        [exit status: 2]
    "#]]);
}

#[test]
fn what_cannot_be_followed_is_refused() {
    let text = template("orders", "orders").replace(".Values.orders.old", ".Values.orders.old | default 5");
    let checkout = Checkout::plain(&[("orders.yaml", &text)]);
    checkout.tidegate("shift orders -f orders.yaml --weights 80/20").shows(expect![[r#"
        ------- stderr -------
        error: no route of `orders` has weights:
          http[0]: everything to new (only x-group: test)
          http[1]: route[0] has the weight "{{ .Values.orders.old | default 5 }}"
        hint: a weight of a template is followed where it is a plain reference, `{{ .Values.NAME }}`, that the values have
        [exit status: 5]
    "#]]);
}

#[test]
fn the_values_of_a_chart_within_another_do_not_count_by_themselves() {
    let checkout = Checkout::new(&[
        ("chart/Chart.yaml", "name: shop\n"),
        ("chart/values.yaml", "inner: {orders: {old: 100, new: 0}}\n"),
        ("chart/charts/inner/Chart.yaml", "name: inner\n"),
        ("chart/charts/inner/values.yaml", VALUES),
        ("chart/charts/inner/templates/orders.yaml", &template("orders", "orders")),
    ]);
    let output = checkout.tidegate("shift orders -f chart --weights 80/20").run();
    assert_eq!(output.status, Some(5), "{output}");
    assert_eq!(checkout.git(&["status", "--porcelain"]), "");
    // Who names them knows that they do.
    checkout.tidegate("shift orders -f chart --values chart/charts/inner/values.yaml --weights 80/20").succeeds();
    assert_eq!(checkout.git(&["diff", "--name-only"]), "chart/charts/inner/values.yaml\n");
}
