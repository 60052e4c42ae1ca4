//! Reads the event that asks for a delivery, of whichever era: `keptn send event --file new-artifact.json`.

use crate::core::delivery::image::Image;
use crate::error::{Error, Result};
use serde_json::Value;
use std::collections::BTreeMap;

/// What an event asks to deliver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// The project.
    pub project: String,
    /// The service.
    pub service: String,
    /// The image.
    pub image: Image,
    /// The stage that it goes to; the first where none is named.
    pub stage: Option<String>,
    /// What the sender says of it.
    pub labels: BTreeMap<String, String>,
    /// The context of the sender.
    pub context: Option<String>,
}

/// Reads an event.
///
/// # Errors
/// `Usage` for an event of another type, and for one without project, service or image.
pub fn artifact(event: &Value) -> Result<Artifact> {
    let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned);
    let kind = text("/type").unwrap_or_default();
    let sequence = kind.strip_prefix("sh.keptn.event.").and_then(|rest| rest.strip_suffix(".delivery.triggered"));
    let image = match kind.as_str() {
        "sh.keptn.events.new-artifact" | "sh.keptn.events.new-artefact" => text("/data/image"),
        "sh.keptn.event.configuration.change" => text("/data/valuesCanary/image"),
        _ if sequence.is_some() => text("/data/configurationChange/values/image"),
        _ => {
            return Err(Error::usage(format!("an event of type `{}` asks for no delivery", kind.escape_debug()))
                .hint("known are sh.keptn.events.new-artifact, sh.keptn.event.configuration.change and sh.keptn.event.STAGE.delivery.triggered"));
        }
    };
    let need = |what: &str, found: Option<String>| found.ok_or_else(|| Error::usage(format!("the event has no {what}")));
    let labels = event.pointer("/data/labels").and_then(Value::as_object).into_iter().flatten();
    Ok(Artifact {
        project: need("project", text("/data/project"))?,
        service: need("service", text("/data/service"))?,
        image: Image::artifact(&need("image", image)?, text("/data/tag").as_deref())?,
        stage: text("/data/stage").or_else(|| sequence.map(str::to_owned)),
        labels: labels.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect(),
        context: text("/shkeptncontext"),
    })
}
