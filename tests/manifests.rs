//! Manifests in files: public ones, and texts that nobody wrote.

use crate::fuzz::{Dice, mutated};
use crate::repository::within;
use serde_json::json;
use std::time::{Duration, Instant};
use tidegate::core::manifest::Manifest;
use tidegate::core::object::Object;
use tidegate::core::patch::Patch;
use tidegate::core::plan::{Author, Intent, plan};
use tidegate::core::route::Action;
use tidegate::core::select::Service;

mod corpus;

/// Rounds of a plain `cargo test`; with `TIDEGATE_FUZZ_SECONDS` it goes on for that long.
const ROUNDS: u64 = 2_000;

/// A weight that no text has.
const WEIGHT: u32 = 77_777;

/// The chart, small things of each kind, and public manifests where the machine has them.
fn seeds() -> Vec<Vec<u8>> {
    let chart = std::fs::read_to_string(within("fixtures/manifests/chart.yaml")).expect("the chart");
    let head = "apiVersion: networking.istio.io/v1\nkind: VirtualService\nspec:\n  http:\n  - route:\n";
    let mut seeds: Vec<String> = vec![
        chart.replace('\n', "\r\n"),
        chart,
        format!("{head}    - destination: {{host: a}}\n      weight: &w 5\n    - {{\"destination\": {{\"host\": \"b\"}}}}\n"),
        format!(
            "{head}    - weight: {{{{ .Values.w }}}}\n      destination:\n        host: c\n    - &d\n      destination: {{host: d}}\n"
        ),
        json!({"apiVersion": "networking.istio.io/v1", "kind": "List", "items": [{
            "apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
            "spec": {"tcp": [{"route": [{"destination": {"host": "a"}}, {"weight": "5", "destination": {"host": "b"}}]}]},
        }]})
        .to_string(),
    ];
    for part in ["plain", "helm"] {
        let Some(folder) = corpus::folder() else { break };
        let mut files: Vec<_> = std::fs::read_dir(folder.join(part)).expect("a folder").flatten().map(|one| one.path()).collect();
        files.sort();
        let texts = files.iter().step_by(7).filter_map(|path| std::fs::read_to_string(path).ok());
        seeds.extend(texts.filter(|text| text.len() < 10_000));
    }
    seeds.into_iter().map(String::into_bytes).collect()
}

/// Edits every route that can be edited. What comes out must have the weights. Returns how many came out.
fn edit(text: &str) -> usize {
    let values = Some("w: 5\na: {b: '7'}\n");
    let Ok(manifest) = Manifest::read(text, values) else { return 0 };
    let mut done = 0;
    for (index, held) in manifest.virtual_services().iter().enumerate() {
        for route in Object::read(held.value.clone()).routes {
            let Action::Forward(to) = &route.action else { continue };
            let mut patch = Patch::default();
            for place in 0..to.len() {
                let (at, place) = (route.id.index.to_string(), place.to_string());
                patch.set(["spec", route.id.protocol.key(), &at, "route", &place, "weight"], json!(WEIGHT));
            }
            let Ok(after) = manifest.edited(&[(index, &patch)]) else { continue };
            let again = Manifest::read(&after.text, after.values.as_deref().or(values)).expect("what was proven can be read");
            let again = Object::read(again.virtual_services()[index].value.clone()).routes;
            let route = again.iter().find(|one| one.id == route.id).expect("the same route");
            assert!(route.weights().iter().all(|(_, weight)| *weight == WEIGHT), "{text}");
            done += 1;
        }
    }
    done
}

#[test]
fn no_text_brings_manifests_down() {
    let seconds = std::env::var("TIDEGATE_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok()).map(Duration::from_secs);
    let (began, seeds, mut dice) = (Instant::now(), seeds(), Dice(1));
    let (mut round, mut done) = (0, 0);
    while seconds.map_or(round < ROUNDS, |seconds| began.elapsed() < seconds) {
        let bytes = mutated(&seeds, &mut dice);
        let text = String::from_utf8_lossy(&bytes);
        let result = std::panic::catch_unwind(|| edit(&text));
        assert!(result.is_ok(), "round {round} panics at:\n{text:?}");
        done += result.unwrap_or_default();
        round += 1;
    }
    assert!(done > 0);
}

/// The texts after what the planner makes of an intent: the manifest's, and the values'.
fn planned(text: &str, values: &str, intent: &Intent) -> (String, String) {
    let manifest = Manifest::read(text, Some(values)).expect("reads");
    let object = Object::read(manifest.virtual_services()[0].value.clone());
    let service = Service { name: object.name.clone(), typed: object.name.clone(), objects: vec![object] };
    let author = Author { by: "alice".into(), at: "2026-01-01T00:00:00Z".into(), reason: None };
    let changes = plan(&service, intent, None, &author).expect("plans");
    let patches: Vec<&Patch> = changes.iter().filter_map(|change| change.patch.as_ref()).collect();
    let after = manifest.edited(&[(0, patches[0])]).expect("edits");
    (after.text, after.values.unwrap_or_else(|| values.to_owned()))
}

#[test]
fn what_is_planned_for_a_cluster_can_be_written_to_a_file() {
    let chart = std::fs::read_to_string(within("fixtures/manifests/chart.yaml")).expect("the chart");
    let shift = Intent::Shift("80/20".parse().expect("weights"));
    let (after, _) = planned(&chart, "", &shift);
    assert_eq!(after, chart.replace("weight: 100", "weight: 80").replace("weight: 0", "weight: 20"));
    let (after, _) = planned(&chart, "", &Intent::Promote(None));
    let swapped =
        chart.replace("weight: 100", "weight: old").replace("weight: 0", "weight: 100").replace("weight: old", "weight: 0");
    assert_eq!(after, swapped);
    let templated = chart.replace("weight: 100", "weight: {{ .Values.old }}").replace("weight: 0", "weight: {{ .Values.new }}");
    let (after, values) = planned(&templated, "old: 100 # all\nnew: 0\n", &shift);
    assert_eq!((after, values.as_str()), (templated, "old: 80 # all\nnew: 20\n"));
    let missing = chart.replace("      weight: 100 {{- /* all */}}\n", "").replace("weight: 0", "weight: \"100\"");
    let (after, _) = planned(&missing, "", &shift);
    assert_eq!(after, missing.replace("subset: old\n", "subset: old\n      weight: 80\n").replace("\"100\"", "\"20\""));
}
