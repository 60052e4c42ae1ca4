use crate::support::*;

#[test]
fn the_story_of_weights_is_told_by_the_real_commands() {
    let run = tidegate("demo traffic").run();
    assert_eq!(run.status, Some(0), "{run}");
    let mut rest = run.raw.lines();
    for wanted in [
        "$ tidegate shift carts --weights 80/20",
        "virtualservice.networking.istio.io/carts shifted: blue 100 -> 80, green 0 -> 20",
        "# What the clients see: blue ",
        "virtualservice.networking.istio.io/carts rolled back: blue 80 -> 100, green 20 -> 0",
        "virtualservice.networking.istio.io/carts promoted: blue 80 -> 0, green 20 -> 100",
        "# `tidegate rollback carts` would still put blue back. Try it yourself:",
    ] {
        assert!(rest.any(|line| line.starts_with(wanted)), "`{wanted}` is not where it should be in\n{run}");
    }
}

#[test]
fn an_unknown_story_is_refused() {
    let run = tidegate("demo weights").run();
    assert_eq!(run.status, Some(2), "{run}");
}
