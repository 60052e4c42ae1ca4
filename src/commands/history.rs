//! `history`: the recorded changes of a service, and its deliveries.

use super::Context;
use super::delivery::standing;
use crate::cli::{Format, History};
use crate::core::host::ServiceRef;
use crate::core::object::Object;
use crate::core::release::Revision;
use crate::error::Result;
use crate::ui::{self, Screen, data};
use serde::Serialize;

#[derive(Serialize)]
struct Shown<'a> {
    /// Where the service has several: each has revisions of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<String>,
    #[serde(flatten)]
    revision: &'a Revision,
    current: bool,
}

pub async fn run(context: &Context, arguments: History) -> Result<()> {
    let service: ServiceRef = arguments.service.parse()?;
    let (_, cluster) = context.connect(None).await?;
    let tables = matches!(arguments.output, Format::Table | Format::Wide);
    let namespace = service.namespace.clone().unwrap_or_else(|| cluster.namespace.clone());
    let deliveries = async {
        match tables {
            true => standing::history(context, &cluster, &namespace, &service.name).await,
            false => Ok(String::new()),
        }
    };
    let (found, deliveries) = tokio::join!(cluster.find(&service, false), deliveries);
    let (found, ui) = (found?, &context.ui);
    let deliveries = deliveries.unwrap_or_else(|error| {
        ui.warn(&format!("deliveries are unknown: {}", error.message));
        String::new()
    });
    let objects: Vec<&Object> =
        found.services.iter().flat_map(|service| &service.objects).filter(|object| !object.history.is_empty()).collect();
    let screen = Screen { namespaces: false, wide: false, terminal: ui.out_is_terminal, now: jiff::Timestamp::now() };
    match arguments.output {
        Format::Json | Format::Yaml => {
            let shown: Vec<Shown<'_>> = objects
                .iter()
                .flat_map(|object| {
                    let current = in_force(object);
                    let several = objects.len() > 1;
                    object.history.iter().map(move |revision| Shown {
                        object: several.then(|| object.title()),
                        revision,
                        current: current == Some(revision.revision),
                    })
                })
                .collect();
            ui.answer(&data(&shown, arguments.output == Format::Yaml));
        }
        Format::Name => objects.iter().for_each(|object| ui.answer(&format!("{}\n", object.title()))),
        Format::Table | Format::Wide => {
            for object in &objects {
                if objects.len() > 1 {
                    ui.answer(&format!("{}\n", object.title()));
                }
                ui.answer(&ui::history(&object.history, in_force(object), screen));
            }
            if objects.is_empty() {
                ui.say(&format!("No changes recorded for {}.\n", arguments.service));
            }
            if !deliveries.is_empty() {
                let gap = if objects.is_empty() { "" } else { "\n" };
                ui.answer(&format!("{gap}{deliveries}"));
            }
        }
    }
    Ok(())
}

/// The newest revision whose weights are those of the object.
fn in_force(object: &Object) -> Option<u32> {
    let stands = |revision: &Revision| {
        revision.routes.iter().all(|(id, weights)| {
            let route = object.routes.iter().find(|route| revision.is_of(id, route));
            route.is_some_and(|route| weights.iter().all(|weight| route.weights().contains(weight)))
        })
    };
    object.history.iter().rev().find(|revision| stands(revision)).map(|revision| revision.revision)
}
