use crate::support::*;

#[test]
fn sets_the_weights_in_the_order_of_the_route() {
    let sandbox = Sandbox::new();
    tidegate("shift carts --weights 80/20").on(&sandbox).shows(expect![[r#"
        virtualservice.networking.istio.io/carts shifted: blue 100 -> 80, green 0 -> 20
    "#]]);
    assert_eq!(sandbox.weights("sockshop-production", "carts", 0), [80, 20]);
}

#[test]
fn a_shift_without_checks_is_one_get_and_one_patch() {
    let sandbox = Sandbox::new();
    tidegate("shift carts --weights 80/20 --no-preflight").on(&sandbox).succeeds();
    expect![[r#"
        GET /apis/networking.istio.io/v1/namespaces/sockshop-production/virtualservices/carts 200
        PATCH /apis/networking.istio.io/v1/namespaces/sockshop-production/virtualservices/carts?fieldManager=tidegate 200
    "#]]
    .assert_eq(&sandbox.requests());
}
