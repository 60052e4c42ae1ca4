//! What is refused before anything is written.

use super::*;

#[test]
fn shipyards_that_are_none() {
    let sandbox = Sandbox::empty();
    let stage = |name: &str, after: &str| {
        format!(
            "  - name: {name}\n    sequences:\n    - name: delivery\n      triggeredOn: [{{event: {after}.delivery.finished}}]\n      tasks: [{{name: deployment}}]\n"
        )
    };
    let circle = format!(
        "apiVersion: spec.keptn.sh/0.2.2\nkind: Shipyard\nspec:\n  stages:\n{}{}",
        stage("dev", "prod"),
        stage("prod", "dev")
    );
    for (text, expected) in [
        (
            circle.as_str(),
            expect![[r#"
        ------- stderr -------
        error: x.yaml:8:7: the stages start each other in a circle: dev -> prod -> dev
           8 |       triggeredOn: [{event: prod.delivery.finished}]
             |       ^
        [exit status: 2]
    "#]],
        ),
        (
            "stages:\n- name: dev\n- name: dev\n",
            expect![[r#"
        ------- stderr -------
        error: x.yaml:3:3: there are two stages `dev`
           3 | - name: dev
             |   ^
        [exit status: 2]
    "#]],
        ),
        (
            "stages:\n- deployment_strategy: direct\n",
            expect![[r#"
        ------- stderr -------
        error: x.yaml:2:3: this stage has no `name`
           2 | - deployment_strategy: direct
             |   ^
        [exit status: 2]
    "#]],
        ),
        (
            "stages:\n- {name: dev, deployment_strategy: rolling}\n",
            expect![[r#"
        ------- stderr -------
        error: x.yaml:2:15: `rolling` is no deployment strategy; known are direct, blue_green, blue_green_service, canary
           2 | - {name: dev, deployment_strategy: rolling}
             |               ^
        [exit status: 2]
    "#]],
        ),
        (
            "",
            expect![[r#"
        ------- stderr -------
        error: x.yaml: the file is empty
        [exit status: 2]
    "#]],
        ),
    ] {
        writes_nothing(&sandbox, with("create project sockshop --shipyard x.yaml", "x.yaml", text), &expected);
    }
    tidegate("create project sockshop --shipyard nothing.yaml").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: cannot read nothing.yaml
        caused by: no such file or directory
        [exit status: 2]
    "#]]);
    shop("create project Sockshop --shipyard shipyard.yaml").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: `Sockshop` cannot name a project: use small letters, digits and `-`, at most 63, a letter or digit first and last
        [exit status: 2]
    "#]]);
    shop("create project sockshop --shipyard shipyard.yaml --namespaces sockshop").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: the stages `dev` and `staging` would share the namespace `sockshop`
        hint: a template has `{stage}` in it: `--namespaces '{project}-{stage}'`
        [exit status: 2]
    "#]]);
}

#[test]
fn names_that_nobody_knows() {
    let sandbox = project();
    for (line, expected) in [
        (
            "get stages -p sockshp",
            expect![[r#"
            ------- stderr -------
            error: there is no project `sockshp`
            hint: there is sockshop; make another: `tidegate create project sockshp --shipyard shipyard.yaml`
            [exit status: 5]
        "#]],
        ),
        (
            "onboard service carts -p sockshp --image carts:1",
            expect![[r#"
            ------- stderr -------
            error: there is no project `sockshp`
            hint: there is sockshop; make another: `tidegate create project sockshp --shipyard shipyard.yaml`
            [exit status: 5]
        "#]],
        ),
        (
            "add-resource -p sockshop --stage stagng --resource perfspec.json",
            expect![[r#"
            ------- stderr -------
            error: `sockshop` has no stage `stagng`; it has dev, staging, production
            hint: did you mean `staging`?
            [exit status: 5]
        "#]],
        ),
        (
            "add-resource -p sockshop --resource shipyard.yaml",
            expect![[r#"
            ------- stderr -------
            error: `shipyard.yaml` cannot name a resource
            hint: use letters, digits, `.`, `-` and `_`; give it another name with `--resource-uri`
            [exit status: 2]
        "#]],
        ),
        (
            "add-resource -p sockshop --resource nothing.yaml",
            expect![[r#"
            ------- stderr -------
            error: cannot read nothing.yaml
            caused by: no such file or directory
            [exit status: 2]
        "#]],
        ),
        (
            "onboard service carts -p sockshop",
            expect![[r#"
            ------- stderr -------
            error: what is `carts` made of?
            hint: name one of `--deployment FILE`, `--from deployment/NAME`, `--chart DIR`, `--image IMAGE`
            [exit status: 2]
        "#]],
        ),
        (
            "onboard service carts -p sockshop --image carts",
            expect![[r#"
            ------- stderr -------
            error: `carts` does not say which version: it has no tag and no digest
            hint: name it: `--tag 0.6.2`; the newest is meant where `--tag latest` says so
            [exit status: 2]
        "#]],
        ),
        (
            "onboard service Carts -p sockshop --image carts:1",
            expect![[r#"
            ------- stderr -------
            error: `Carts` cannot name a service: use small letters, digits and `-`, at most 63, a letter or digit first and last
            [exit status: 2]
        "#]],
        ),
        (
            "onboard service carts -p sockshop --image carts:1 --domain nowhere",
            expect![[r#"
            ------- stderr -------
            error: `nowhere` is no domain; write `example.com` or `203.0.113.10.nip.io`
            [exit status: 2]
        "#]],
        ),
        (
            "onboard service carts -p sockshop --deployment shipyard.yaml",
            expect![[r#"
            ------- stderr -------
            error: there is no Deployment in shipyard.yaml; it has nothing
            [exit status: 2]
        "#]],
        ),
        (
            "onboard service carts -p sockshop --image carts:1 --gate carts.yaml",
            expect![[r#"
            ------- stderr -------
            error: carts.yaml:1:1: this is not YAML: deserializing from YAML containing more than one document is not supported
               1 | # The carts of the sock shop: `tidegate onboard service carts --project sockshop --deployment carts.yaml`.
                 | ^
            [exit status: 2]
        "#]],
        ),
        (
            "onboard service carts -p sockshop --from pod/carts",
            expect![[r#"
            ------- stderr -------
            error: `pod` is no deployment
            hint: name it: `--from deployment/carts -n NAMESPACE`
            [exit status: 2]
        "#]],
        ),
        (
            "onboard service carts-db -p sockshop --deployment carts-db.yaml --deployment-strategy blue_green_service",
            expect![[r#"
                ------- stderr -------
                error: the traffic of `carts-db` cannot be split: it has no port that speaks HTTP
                hint: it stays single with `--deployment-strategy direct`
                [exit status: 2]
            "#]],
        ),
    ] {
        writes_nothing(&sandbox, shop(line), &expected);
    }
}

#[test]
fn missing_rights_are_found_before_anything_is_written() {
    let sandbox = project();
    for (line, expected) in [
        (
            "create project another --shipyard shipyard.yaml --context viewer",
            expect![[r#"
            ------- stderr -------
            error: not enough rights in the cluster, another-dev, another-staging, another-production
            caused by: the cluster: may not create namespaces
            caused by: another-dev: may not create configmaps, deployments, services, virtualservices, gateways; patch configmaps, deployments, virtualservices
            caused by: another-staging: may not create deployments, services, virtualservices, gateways, destinationrules; patch deployments, virtualservices
            caused by: another-production: may not create deployments, services, virtualservices, gateways, destinationrules; patch deployments, virtualservices
            hint: `tidegate help rbac` prints the rights that are needed
            [exit status: 4]
        "#]],
        ),
        (
            "onboard service carts -p sockshop --deployment carts.yaml --context viewer",
            expect![[r#"
            ------- stderr -------
            error: not enough rights in sockshop-dev, sockshop-staging, sockshop-production
            caused by: sockshop-dev: may not create deployments, services, gateways, virtualservices
            caused by: sockshop-staging: may not create deployments, services, destinationrules, gateways, virtualservices
            caused by: sockshop-production: may not create deployments, services, destinationrules, gateways, virtualservices
            hint: `tidegate help rbac` prints the rights that are needed
            [exit status: 4]
        "#]],
        ),
        (
            "add-resource -p sockshop --resource perfspec.json --context viewer",
            expect![[r#"
            ------- stderr -------
            error: not enough rights in sockshop-dev
            caused by: sockshop-dev: may not patch configmaps
            hint: `tidegate help rbac` prints the rights that are needed
            [exit status: 4]
        "#]],
        ),
        (
            "delete project sockshop --yes --context viewer",
            expect![[r#"
            ------- stderr -------
            error: not enough rights in the cluster
            caused by: the cluster: may not delete namespaces
            hint: `tidegate help rbac` prints the rights that are needed
            [exit status: 4]
        "#]],
        ),
    ] {
        writes_nothing(&sandbox, shop(line), &expected);
    }
}
