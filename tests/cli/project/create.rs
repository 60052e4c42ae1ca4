//! Projects: their namespaces, made, taken over, given back.

use super::*;

#[test]
fn a_project_is_made_once_and_follows_its_shipyard() {
    let sandbox = Sandbox::empty();
    shop("create project sockshop --shipyard shipyard.yaml --dry-run").on(&sandbox).shows(expect![[r#"
        namespace/sockshop-dev created (dry run)
        namespace/sockshop-staging created (dry run)
        namespace/sockshop-production created (dry run)
        project/sockshop created (dry run): dev, staging, production
    "#]]);
    assert!(namespaces(&sandbox).is_empty());
    shop("create project sockshop --shipyard shipyard.yaml").on(&sandbox).shows(expect![[r#"
        namespace/sockshop-dev created
        namespace/sockshop-staging created
        namespace/sockshop-production created
        project/sockshop created: dev, staging, production
    "#]]);
    let staging = sandbox.rest.get("/api/v1/namespaces/sockshop-staging").ok();
    assert_eq!(staging["metadata"]["labels"]["istio-injection"], "enabled");
    assert_eq!(staging["metadata"]["labels"]["tidegate/stage"], "staging");
    assert_eq!(staging["metadata"]["annotations"]["tidegate/order"], "1");
    writes_nothing(
        &sandbox,
        shop("create project sockshop --shipyard shipyard.yaml"),
        &expect![[r#"
        project/sockshop (no change): dev, staging, production
    "#]],
    );
    let other = "stages:\n- name: dev\n- {name: staging, deployment_strategy: blue_green, approval_strategy: {pass: manual}}\n- {name: qa}\n";
    with("create project sockshop --shipyard other.yaml", "other.yaml", other).on(&sandbox).shows(expect![[r#"
        - dev: direct, functional
        - staging: blue_green, performance
        - production: blue_green
        + dev: direct
        + staging: blue_green, manual after a pass
        + qa: direct
        namespace/sockshop-qa created
        project/sockshop updated: dev, staging, qa
        ------- stderr -------
        warning: sockshop-production belongs to no stage any more; it stays with all that is in it
    "#]]);
    tidegate("get stages -p sockshop").on(&sandbox).shows(expect![[r#"
        STAGE    NAMESPACE         DEPLOYMENT  TEST    APPROVAL
        dev      sockshop-dev      direct      <none>  automatic
        staging  sockshop-staging  blue_green  <none>  manual after a pass
        qa       sockshop-qa       direct      <none>  automatic
    "#]]);
    let first = "stages:\n- name: qa\n- name: dev\n";
    with("create project sockshop --shipyard other.yaml", "other.yaml", first).on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: `qa` cannot be the first stage: sockshop-dev keeps the project's files and runs
        hint: to begin anew: `tidegate delete project sockshop`
        [exit status: 2]
    "#]]);
    shop("create project sockshop --shipyard shipyard.yaml --namespaces {stage}").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: the namespaces of `sockshop` are named {project}-{stage}; that does not change
        hint: to begin anew: `tidegate delete project sockshop`
        [exit status: 2]
    "#]]);
}

#[test]
fn a_project_is_deleted_when_somebody_says_so() {
    let sandbox = project();
    tidegate("delete project sockshop").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        namespace/sockshop-dev goes, with no service in it
        namespace/sockshop-staging goes, with no service in it
        namespace/sockshop-production goes, with no service in it
        error: --yes required when not running interactively
        hint: run it again with `--yes`
        [exit status: 2]
    "#]]);
    assert_eq!(namespaces(&sandbox).len(), 3);
    tidegate("delete project sockshop --yes").on(&sandbox).shows(expect![[r#"
        namespace/sockshop-production deleted
        namespace/sockshop-staging deleted
        namespace/sockshop-dev deleted
        project/sockshop deleted
        ------- stderr -------
        namespace/sockshop-dev goes, with no service in it
        namespace/sockshop-staging goes, with no service in it
        namespace/sockshop-production goes, with no service in it
    "#]]);
    eventually("the namespaces are gone", || namespaces(&sandbox).is_empty().then_some(()));
    tidegate("delete project sockshop --yes").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: there is no project `sockshop`
        hint: make it: `tidegate create project sockshop --shipyard shipyard.yaml`
        [exit status: 5]
    "#]]);
}

#[test]
fn what_was_there_before_stays() {
    let sandbox = Sandbox::new();
    shop("create project sockshop shipyard.yaml --git-user=x --git-token=y --git-remote-url=z").on(&sandbox).shows(expect![[
        r#"
            namespace/sockshop-dev adopted
            namespace/sockshop-staging adopted
            namespace/sockshop-production adopted
            project/sockshop created: dev, staging, production
            ------- stderr -------
            warning: no meaning here: --git-user, --git-token, --git-remote-url; a project needs no Git repository
        "#
    ]]);
    tidegate("get projects").on(&sandbox).shows(expect![[r#"
        NAME      STAGES                    SERVICES
        sockshop  dev, staging, production  carts, carts-db, orders
    "#]]);
    tidegate("get artifacts -p sockshop").on(&sandbox).shows(expect![[r#"
        SERVICE   STAGE       VERSION  IMAGE                                   WEIGHT  READY
        carts     dev         <none>   docker.io/keptnexamples/carts:0.6.0     <none>  1/1
        carts     staging     blue     docker.io/keptnexamples/carts:0.6.0     100     2/2
        carts     staging     green    docker.io/keptnexamples/carts:0.6.2     0       2/2
        carts     production  blue     docker.io/keptnexamples/carts:0.6.0     100     2/2
        carts     production  green    docker.io/keptnexamples/carts:0.6.2     0       2/2
        carts-db  production  <none>   mongo:4.0                               <none>  1/1
        orders    production  v1       docker.io/weaveworksdemos/orders:0.4.6  100     3/3
        orders    production  v2       docker.io/weaveworksdemos/orders:0.4.7  0       3/3
    "#]]);
    let run = shop("onboard service carts -p sockshop --deployment carts.yaml --domain 203.0.113.10.xip.io");
    writes_nothing(
        &sandbox,
        run,
        &expect![[r#"
        ------- stderr -------
        error: 13 objects are there already, and not of tidegate's making
        caused by: deployment.apps/carts in sockshop-dev
        caused by: service/carts in sockshop-dev
        caused by: virtualservice.networking.istio.io/carts in sockshop-dev
        caused by: deployment.apps/carts-blue in sockshop-staging
        caused by: deployment.apps/carts-green in sockshop-staging
        caused by: service/carts in sockshop-staging
        caused by: destinationrule.networking.istio.io/sockshop-carts-staging-destination in sockshop-staging
        caused by: virtualservice.networking.istio.io/carts in sockshop-staging
        caused by: deployment.apps/carts-blue in sockshop-production
        caused by: deployment.apps/carts-green in sockshop-production
        caused by: service/carts in sockshop-production
        caused by: destinationrule.networking.istio.io/sockshop-carts-production-destination in sockshop-production
        caused by: virtualservice.networking.istio.io/carts in sockshop-production
        hint: a service that has its deployments and routes needs no onboarding: `tidegate get artifacts` shows what is found
        [exit status: 6]
    "#]],
    );
    tidegate("delete project sockshop --yes").on(&sandbox).shows(expect![[r#"
        namespace/sockshop-production released
        namespace/sockshop-staging released
        namespace/sockshop-dev released
        project/sockshop deleted
        ------- stderr -------
        namespace/sockshop-dev was there before: it stays, without the project's labels and records
        namespace/sockshop-staging was there before: it stays, without the project's labels and records
        namespace/sockshop-production was there before: it stays, without the project's labels and records
    "#]]);
    assert!(namespaces(&sandbox).is_empty());
    assert_eq!(sandbox.weights("sockshop-production", "carts", 0).len(), 2);
}

#[test]
fn a_stage_without_a_namespace_is_found_and_mended() {
    let sandbox = project();
    sandbox.rest.delete("/api/v1/namespaces/sockshop-staging").ok();
    eventually("the namespace is gone", || (namespaces(&sandbox).len() == 2).then_some(()));
    shop("onboard service carts -p sockshop --deployment carts.yaml").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: the stage `staging` of `sockshop` has no namespace: there is no sockshop-staging that is its
        hint: complete it: `tidegate create project sockshop --shipyard shipyard.yaml`
        [exit status: 5]
    "#]]);
    shop("create project sockshop --shipyard shipyard.yaml").on(&sandbox).shows(expect![[r#"
        namespace/sockshop-staging created
        project/sockshop updated: dev, staging, production
    "#]]);
    shop("onboard service carts -p sockshop --deployment carts.yaml").on(&sandbox).succeeds();
}

#[test]
fn a_namespace_of_another_project_is_not_taken() {
    let sandbox = project();
    let line = "create project shop --shipyard shipyard.yaml --namespaces sockshop-{stage}";
    writes_nothing(
        &sandbox,
        shop(line),
        &expect![[r#"
        ------- stderr -------
        error: the namespace sockshop-dev belongs to the project `sockshop`
        [exit status: 6]
    "#]],
    );
}
