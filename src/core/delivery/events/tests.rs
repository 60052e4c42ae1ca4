//! The events of a run, field by field as keptn's own were.

use super::*;

const TIME: &str = "2026-01-02T03:04:05Z";

fn delivery() -> Delivery {
    Delivery {
        context: "08735340-6f9e-4b32-97ff-3b6c292bc509".into(),
        project: "sockshop".into(),
        service: "carts".into(),
        image: "docker.io/keptnexamples/carts".into(),
        tag: "0.6.1".into(),
        labels: BTreeMap::from([("build".to_owned(), "17".to_owned())]),
    }
}

fn staging() -> Stage {
    Stage {
        name: "staging".into(),
        deployment: Strategy::BlueGreen,
        test: TestStrategy::Performance,
        approval: Approval { pass: Approver::Automatic, warning: Approver::Manual },
    }
}

fn told(era: Era, happened: &Happened) -> Vec<Value> {
    events(era, &delivery(), &staging(), happened, TIME)
}

fn types(era: Era, happened: &Happened) -> Vec<String> {
    let kind = |event: &Value| event["type"].as_str().expect("a type").trim_start_matches("sh.keptn.").to_owned();
    told(era, happened).iter().map(kind).collect()
}

fn deployed() -> Happened {
    Happened::Deployed {
        ended: Ended::well("2 of 2 pods ready"),
        names: vec!["carts-green".into()],
        local: vec!["http://carts.sockshop-staging.svc.cluster.local:80".into()],
        public: vec!["http://carts.sockshop-staging.203.0.113.7.nip.io".into()],
    }
}

fn tested(ended: Ended) -> Happened {
    Happened::Tested { ended, start: "2026-01-02T03:00:00Z".into(), end: TIME.into() }
}

/// Every thing that can happen, each once.
fn everything() -> Vec<Happened> {
    vec![
        Happened::Sent,
        Happened::Entered,
        Happened::ApprovalAsked(Verdict::Warning),
        Happened::ApprovalGiven(Ended::well("by alice")),
        Happened::Deploying,
        deployed(),
        Happened::Testing,
        tested(Ended::well("500 requests ok")),
        Happened::Evaluating { start: "a".into(), end: "b".into() },
        Happened::Evaluated { ended: Ended::well("90 of 100"), details: json!({"score": 90}) },
        Happened::Promoting,
        Happened::Promoted(Ended::well("green 100")),
        Happened::GoingBack("the gate failed".into()),
        Happened::WentBack(Ended::well("blue 100")),
        Happened::Left(Ended::well("passed")),
        Happened::Aborted("by alice".into()),
    ]
}

#[test]
fn a_new_artifact_of_the_early_era() {
    let events = told(Era::Early, &Happened::Sent);
    let id = events[0]["id"].clone();
    assert_eq!(
        events,
        [json!({
            "specversion": "1.0",
            "id": id,
            "source": "tidegate",
            "type": "sh.keptn.events.new-artifact",
            "datacontenttype": "application/json",
            "time": TIME,
            "shkeptncontext": "08735340-6f9e-4b32-97ff-3b6c292bc509",
            "data": {
                "project": "sockshop", "service": "carts", "image": "docker.io/keptnexamples/carts", "tag": "0.6.1",
                "labels": {"build": "17"},
            },
        })]
    );
}

#[test]
fn the_early_era_has_the_fields_of_its_services() {
    let data = |happened: &Happened| told(Era::Early, happened).remove(0)["data"].clone();
    let common = json!({
        "project": "sockshop", "stage": "staging", "service": "carts", "teststrategy": "performance",
        "deploymentstrategy": "blue_green_service", "image": "docker.io/keptnexamples/carts", "tag": "0.6.1",
        "labels": {"build": "17"},
    });
    let with = |own: Value| {
        let mut all = common.clone();
        all.as_object_mut().expect("a map").extend(own.as_object().expect("a map").clone());
        all
    };
    assert_eq!(data(&deployed()), common);
    assert_eq!(
        data(&tested(Ended::well(""))),
        with(json!({"startedat": "2026-01-02T03:00:00Z", "start": "2026-01-02T03:00:00Z", "end": TIME, "result": "pass"}))
    );
    let details = json!({"totalScore": 0, "result": "fail"});
    assert_eq!(
        data(&Happened::Evaluated { ended: Ended::badly("slow"), details: details.clone() }),
        with(json!({"evaluationpassed": false, "evaluationdetails": details, "result": "fail"}))
    );
    let change = json!({"project": "sockshop", "service": "carts", "stage": "staging", "labels": {"build": "17"}});
    let changed = |own: Value| {
        let mut all = change.clone();
        all.as_object_mut().expect("a map").extend(own.as_object().expect("a map").clone());
        all
    };
    assert_eq!(
        data(&Happened::Entered),
        changed(json!({
            "valuesCanary": {"image": "docker.io/keptnexamples/carts:0.6.1"}, "canary": {"action": "set", "value": 0},
        }))
    );
    assert_eq!(data(&Happened::Promoted(Ended::well(""))), changed(json!({"canary": {"action": "promote"}})));
    assert_eq!(data(&Happened::WentBack(Ended::well(""))), changed(json!({"canary": {"action": "discard"}})));
    let direct = Stage { deployment: Strategy::Direct, ..staging() };
    let entered = events(Era::Early, &delivery(), &direct, &Happened::Entered, TIME).remove(0);
    assert!(entered["data"].get("canary").is_none(), "a direct stage has none");
}

#[test]
fn the_early_era_is_silent_on_what_its_services_never_finished() {
    for happened in [
        Happened::Deployed { ended: Ended::badly("ImagePullBackOff"), names: vec![], local: vec![], public: vec![] },
        Happened::Promoted(Ended::badly("conflict")),
        Happened::WentBack(Ended::badly("conflict")),
        Happened::Left(Ended::well("")),
    ] {
        assert_eq!(told(Era::Early, &happened), [] as [Value; 0], "{happened:?}");
    }
}

#[test]
fn a_stage_of_the_late_era() {
    assert_eq!(types(Era::Late, &Happened::Sent), [] as [&str; 0]);
    assert_eq!(types(Era::Late, &Happened::Entered), ["event.staging.delivery.triggered"]);
    assert_eq!(types(Era::Late, &Happened::Deploying), ["event.deployment.triggered", "event.deployment.started"]);
    assert_eq!(types(Era::Late, &deployed()), ["event.deployment.finished"]);
    assert_eq!(types(Era::Late, &Happened::Testing), ["event.test.triggered", "event.test.started"]);
    assert_eq!(types(Era::Late, &tested(Ended::well(""))), ["event.test.finished"]);
    assert_eq!(types(Era::Late, &Happened::Promoting), ["event.release.triggered", "event.release.started"]);
    assert_eq!(types(Era::Late, &Happened::GoingBack(String::new())), ["event.rollback.triggered", "event.rollback.started"]);
    assert_eq!(types(Era::Late, &Happened::ApprovalAsked(Verdict::Pass)), ["event.approval.triggered", "event.approval.started"]);
    assert_eq!(types(Era::Late, &Happened::Left(Ended::well(""))), ["event.staging.delivery.finished"]);
}

#[test]
fn the_late_era_has_the_fields_of_its_tasks() {
    let last = |happened: &Happened| told(Era::Late, happened).pop().expect("an event");
    let finished = last(&deployed());
    let trigger = told(Era::Late, &Happened::Deploying).remove(0);
    assert_eq!(
        finished,
        json!({
            "specversion": "1.0",
            "id": finished["id"],
            "source": "tidegate",
            "type": "sh.keptn.event.deployment.finished",
            "datacontenttype": "application/json",
            "time": TIME,
            "shkeptncontext": "08735340-6f9e-4b32-97ff-3b6c292bc509",
            "shkeptnspecversion": "0.2.4",
            "triggeredid": trigger["id"],
            "data": {
                "project": "sockshop", "stage": "staging", "service": "carts", "labels": {"build": "17"},
                "status": "succeeded", "result": "pass", "message": "2 of 2 pods ready",
                "deployment": {
                    "deploymentstrategy": "blue_green_service",
                    "deploymentURIsLocal": ["http://carts.sockshop-staging.svc.cluster.local:80"],
                    "deploymentURIsPublic": ["http://carts.sockshop-staging.203.0.113.7.nip.io"],
                    "deploymentNames": ["carts-green"],
                    "gitCommit": "",
                },
            },
        })
    );
    assert!(trigger.get("triggeredid").is_none());
    assert_eq!(trigger["data"]["configurationChange"]["values"]["image"], "docker.io/keptnexamples/carts:0.6.1");
    assert_eq!(last(&tested(Ended::well("")))["data"]["test"], json!({"start": "2026-01-02T03:00:00Z", "end": TIME}));
    let unknown = Ended { verdict: Verdict::Inconclusive, message: "12 of 200 requests".into() };
    let evaluated = last(&Happened::Evaluated { ended: unknown, details: json!({"score": 0}) });
    assert_eq!(evaluated["data"]["evaluation"], json!({"score": 0}));
    assert_eq!((&evaluated["data"]["status"], &evaluated["data"]["result"]), (&json!("errored"), &json!("fail")));
    let asked = told(Era::Late, &Happened::ApprovalAsked(Verdict::Warning)).remove(0);
    assert_eq!(asked["data"]["approval"], json!({"pass": "automatic", "warning": "manual"}));
    assert_eq!(asked["data"]["result"], "warning");
    let aborted = last(&Happened::Aborted("by alice".into()));
    assert_eq!(
        (&aborted["type"], &aborted["data"]["status"]),
        (&json!("sh.keptn.event.staging.delivery.finished"), &json!("aborted"))
    );
}

#[test]
fn every_event_has_the_envelope_and_an_id_of_its_own() {
    for era in [Era::Early, Era::Late] {
        let mut seen = std::collections::BTreeSet::new();
        let triggers: Vec<Value> = everything().iter().flat_map(|one| told(era, one)).collect();
        for event in &triggers {
            let text = |key: &str| event[key].as_str().unwrap_or_default();
            assert_eq!((text("specversion"), text("shkeptncontext")), ("1.0", delivery().context.as_str()));
            let id = text("id");
            assert_eq!((id.len(), &id[14..15], id.matches('-').count()), (36, "8", 4), "{id}");
            assert!("89ab".contains(&id[19..20]), "{id}");
            assert!(event["data"].is_object());
            let aborted = event["data"]["status"] == "aborted";
            assert!(seen.insert(id.to_owned()) || aborted, "{} has the id of another", text("type"));
        }
        // Whatever was triggered is there.
        for event in triggers.iter().filter(|event| event.get("triggeredid").is_some()) {
            assert!(triggers.iter().any(|other| other["id"] == event["triggeredid"]), "{}", event["type"]);
        }
    }
    let other = Stage { name: "production".into(), ..staging() };
    let there = events(Era::Late, &delivery(), &other, &Happened::Deploying, TIME);
    assert_ne!(there[0]["id"], told(Era::Late, &Happened::Deploying)[0]["id"]);
    assert_eq!(told(Era::Late, &Happened::Deploying), told(Era::Late, &Happened::Deploying), "the same again");
}

#[test]
fn images_by_digest_and_without_a_tag() {
    let image = |tag: &str| {
        let delivery = Delivery { tag: tag.into(), ..delivery() };
        events(Era::Early, &delivery, &staging(), &Happened::Entered, TIME)[0]["data"]["valuesCanary"]["image"].clone()
    };
    assert_eq!(image("sha256:abc"), "docker.io/keptnexamples/carts@sha256:abc");
    assert_eq!(image(""), "docker.io/keptnexamples/carts");
}

#[test]
fn an_event_of_either_era_asks_for_a_delivery() {
    let early = told(Era::Early, &Happened::Sent).remove(0);
    let found = artifact(&early).expect("an artifact");
    assert_eq!((found.project.as_str(), found.service.as_str(), found.stage.as_deref()), ("sockshop", "carts", None));
    assert_eq!(found.image.to_string(), "docker.io/keptnexamples/carts:0.6.1");
    assert_eq!(found.labels.get("build").map(String::as_str), Some("17"));
    for event in [told(Era::Early, &Happened::Entered).remove(0), told(Era::Late, &Happened::Entered).remove(0)] {
        let found = artifact(&event).expect("an artifact");
        assert_eq!(found.image.to_string(), "docker.io/keptnexamples/carts:0.6.1");
        assert_eq!(found.stage.as_deref(), Some("staging"));
        assert_eq!(found.context.as_deref(), Some("08735340-6f9e-4b32-97ff-3b6c292bc509"));
    }
    let refused = |event: Value| artifact(&event).expect_err("refused").message;
    assert_eq!(
        refused(json!({"type": "sh.keptn.events.problem"})),
        "an event of type `sh.keptn.events.problem` asks for no delivery"
    );
    assert_eq!(
        refused(json!({"type": "sh.keptn.events.new-artifact", "data": {"project": "p", "service": "s"}})),
        "the event has no image"
    );
    assert_eq!(refused(json!([])), "an event of type `` asks for no delivery");
}

#[test]
fn objects_are_noted_on() {
    let note = record(&delivery(), &staging(), &Happened::WentBack(Ended::well("blue 100, green 0"))).expect("a record");
    assert_eq!((note.kind, note.reason, note.warning), ("VirtualService", "DeliveryReRouted", true));
    assert_eq!(note.message, "sockshop/staging carts 0.6.1 (run 08735340): blue 100, green 0");
    let object = json!({
        "apiVersion": "networking.istio.io/v1",
        "metadata": {"namespace": "sockshop-staging", "name": "carts", "uid": "u1", "resourceVersion": "7"},
    });
    let event = about(&object, &note, TIME, "18c");
    assert_eq!(event["metadata"]["name"], "carts.18c");
    assert_eq!(
        event["involvedObject"],
        json!({
            "apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "namespace": "sockshop-staging", "name": "carts",
            "uid": "u1", "resourceVersion": "7",
        })
    );
    assert_eq!((&event["type"], &event["reason"], &event["count"]), (&json!("Warning"), &json!("DeliveryReRouted"), &json!(1)));
    let long = Happened::Promoted(Ended::badly("é".repeat(5000)));
    assert_eq!(record(&delivery(), &staging(), &long).expect("a record").message.chars().count(), 1024);
    let noted: Vec<&str> =
        everything().iter().filter_map(|one| record(&delivery(), &staging(), one)).map(|one| one.reason).collect();
    assert_eq!(
        noted,
        ["DeliveryDeployed", "DeliveryTested", "DeliveryGatePassed", "DeliveryPromoted", "DeliveryReRouted", "DeliveryAborted"]
    );
}
