//! The whole way from dev to production, decided by real requests.

use super::project::Project;

const SHIPYARD: &str = "stages:
- {name: dev, deployment_strategy: direct, test_strategy: functional}
- {name: staging, deployment_strategy: blue_green_service, test_strategy: performance}
- {name: production, deployment_strategy: blue_green_service}
";

/// Little load of its own: the gate judges what the mesh's users see. The API server keeps connections to an address whose pod
/// has gone, and the next pod with that address may be asked through them: /health is answered alike by all.
const TESTS: &str = "functional: {path: /health}
performance: {users: 2, loops: 3, think: 0s, requests: [{path: /health}]}
";

const TERMS: &str = "--share 40 --settle 2s --evaluation-timeout 90s --require p95<500ms";

#[test]
fn a_slow_version_stops_in_staging_and_a_fast_one_reaches_production() {
    let Some(shop) = Project::open(SHIPYARD, TESTS, "") else { return };
    let weights = |stage| shop.weights(stage, ["blue", "green"]);
    assert_eq!((weights("staging"), weights("production")), ([0, 100], [0, 100]));
    let load = [shop.load("staging"), shop.load("production")];

    let slow = shop.send("0.6.1", TERMS);
    assert_eq!(slow.status, Some(10), "{slow}");
    assert_eq!(weights("staging"), [0, 100], "staging is back on the previous colour");
    assert_eq!(shop.image("staging", "carts-green"), "shop/carts:0.6.0");
    assert_eq!((weights("production"), shop.image("production", "carts-blue")), ([0, 100], "shop/carts:0.6.0".into()));

    let fast = shop.send("0.6.2", TERMS);
    assert_eq!(fast.status, Some(0), "{fast}");
    for stage in ["staging", "production"] {
        assert_eq!(weights(stage), [100, 0], "{stage}");
        assert_eq!(shop.image(stage, "carts-blue"), "shop/carts:0.6.2", "{stage}");
        assert_eq!(shop.image(stage, "carts-green"), "shop/carts:0.6.0", "{stage}: the version before still runs");
    }

    let again = shop.send("0.6.1", TERMS);
    assert_eq!(again.status, Some(10), "{again}");
    assert_eq!((weights("staging"), weights("production")), ([100, 0], [100, 0]));
    shop.tidegate("rollback carts").arg("-n").arg(shop.namespace("production")).succeeds();
    assert_eq!(weights("production"), [0, 100]);
    drop(load);
}

/// keptn 0.5's way: the sides are services, and the one that serves was made from the other.
#[test]
fn a_canary_and_a_primary_change_places() {
    let shipyard = "stages:\n- {name: production, deployment_strategy: blue_green_service, test_strategy: performance}\n";
    let Some(shop) = Project::open(shipyard, TESTS, "--layout primary-canary") else { return };
    let weights = || shop.weights("production", ["carts-canary", "carts-primary"]);
    assert_eq!(weights(), [0, 100]);
    let load = shop.load("production");

    let slow = shop.send("0.6.1", TERMS);
    assert_eq!(slow.status, Some(10), "{slow}");
    assert!(slow.stderr.contains("back on carts-canary 0, carts-primary 100"), "{slow}");
    assert_eq!((weights(), shop.image("production", "carts-primary")), ([0, 100], "shop/carts:0.6.0".into()));

    // On the same side a moment later: what the slow version did is not counted.
    let fast = shop.send("0.6.2", TERMS);
    assert_eq!(fast.status, Some(0), "{fast}");
    assert_eq!(weights(), [100, 0]);
    assert_eq!(shop.image("production", "carts"), "shop/carts:0.6.2");
    assert_eq!(shop.image("production", "carts-primary"), "shop/carts:0.6.0", "the version before still runs");
    drop(load);
}

/// The Job's own pods end as the fake node lets them: with 0, or with 3 where their command says so.
#[test]
fn a_job_decides_a_stage() {
    let shipyard = "stages:\n- {name: dev, deployment_strategy: direct, test_strategy: functional}\n";
    let tests = |command: &str| format!("functional: {{job: {{image: 'k6:1', command: [sh, -c, '{command}']}}}}\n");
    let Some(shop) = Project::open(shipyard, &tests("exit 3"), "") else { return };
    let bad = shop.send("0.6.2", "");
    assert_eq!(bad.status, Some(10), "{bad}");
    assert!(bad.stderr.contains("functional: ended with exit code 3 (carts.tests.yaml)"), "{bad}");
    assert_eq!((shop.image("dev", "carts"), shop.jobs("dev")), ("shop/carts:0.6.0".into(), 0));

    shop.keeps("tests.yaml", &tests("exit 0"));
    let good = shop.send("0.6.2", "");
    assert_eq!(good.status, Some(0), "{good}");
    assert!(good.stderr.contains("functional: ended with exit code 0 (carts.tests.yaml)"), "{good}");
    assert_eq!((shop.image("dev", "carts"), shop.jobs("dev")), ("shop/carts:0.6.2".into(), 0));
}

/// Behind a policy of the mesh that lets in no plain text, the ingress is the way.
#[test]
fn a_strict_mesh_is_found_and_asked_through_its_ingress() {
    let shipyard = "stages:\n- {name: staging, deployment_strategy: blue_green_service, test_strategy: performance}\n";
    let Some(shop) = Project::open(shipyard, TESTS, "") else { return };
    shop.strict("staging");
    let refused = shop.send("0.6.2", "--keptn-order --allow-no-gate");
    assert_eq!(refused.status, Some(2), "{refused}");
    let policy = format!("PeerAuthentication {}/default is STRICT", shop.namespace("staging"));
    assert!(refused.stderr.contains(&policy), "{refused}");
    assert_eq!(shop.image("staging", "carts-blue"), "shop/carts:0.6.0");

    shop.keeps("tests.yaml", &format!("through: ingress\n{TESTS}"));
    let sent = shop.send("0.6.2", "--keptn-order --allow-no-gate");
    assert_eq!(sent.status, Some(0), "{sent}");
    assert!(sent.stderr.contains("not asked: no way leads to a version without traffic"), "{sent}");
    assert!(sent.stderr.contains("performance: 7 requests, 0 failed"), "{sent}");
    assert_eq!(shop.weights("staging", ["blue", "green"]), [100, 0]);
}
