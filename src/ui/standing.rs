//! What stands below the table of `status`: where services are reached, and the deliveries that are under way.

use super::status::{Screen, columns};
use super::text::printable;
use super::time::age;
use crate::core::delivery::image::version;
use crate::core::delivery::standing::Delivery;
use crate::core::status::ServiceStatus;
use std::fmt::Write as _;

/// The addresses of the services of projects, and what is delivered; nothing where there is nothing of either.
pub fn standing(services: &[&ServiceStatus], screen: Screen) -> String {
    let mut text = String::new();
    let rows: Vec<Vec<String>> = services.iter().filter_map(|service| address(service)).collect();
    if !rows.is_empty() {
        text += "\n";
        text += &columns(&["PROJECT", "STAGE", "SERVICE", "URL"], &rows);
    }
    let mut shown: Vec<&str> = Vec::new();
    for one in services.iter().filter_map(|service| service.told.as_ref()?.delivery.as_ref()) {
        // The same run concerns the service in each stage.
        if !shown.contains(&one.run.as_str()) {
            shown.push(&one.run);
            text += &delivery(one, screen);
        }
    }
    text
}

fn address(service: &ServiceStatus) -> Option<Vec<String>> {
    let told = service.told.as_ref()?;
    Some(vec![told.project.clone(), told.stage.clone(), service.name.clone(), told.url.clone()?])
}

fn delivery(one: &Delivery, screen: Screen) -> String {
    let when = match screen.terminal {
        true => format!("{} ago", age(&one.started, screen.now)),
        false => format!("at {}", one.started),
    };
    let driver = match (&one.driver, one.driven) {
        // `alice@host (run 3fc5050a, process 12)`: the run is known.
        (Some(driver), _) => format!("; {} drives it", driver.split(" (").next().unwrap_or(driver)),
        (None, Some(_)) => "; nobody drives it".to_owned(),
        (None, None) => String::new(),
    };
    let run = one.run.get(..8).unwrap_or(&one.run);
    let (service, version, project) = (&one.service, version(&one.image), &one.project);
    let head = format!("{service} {version} is on its way through {project} (run {run}, sent {when} by {})", one.by);
    let now = format!("  {}, {}: waits for {}{driver}", one.stage, one.phase, one.waits_for);
    let mut text = format!("\n{}\n{}\n", printable(&head), printable(&now));
    for (what, command) in [("go on", &one.go_on), ("go back", &one.abort)] {
        if let Some(command) = command {
            let _ = writeln!(text, "  {what}: `{command}`");
        }
    }
    text
}
