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
    let mut told: Vec<&str> = Vec::new();
    for service in services {
        let (Some(project), Some(one)) = (&service.project, &service.delivery) else { continue };
        // The same run concerns the service in each stage.
        if !told.contains(&one.run.as_str()) {
            told.push(&one.run);
            text += &delivery(project, one, screen);
        }
    }
    text
}

fn address(service: &ServiceStatus) -> Option<Vec<String>> {
    let (project, stage, url) = (service.project.clone()?, service.stage.clone()?, service.url.clone()?);
    Some(vec![project, stage, service.name.clone(), url])
}

fn delivery(project: &str, one: &Delivery, screen: Screen) -> String {
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
    let head =
        format!("{} {} is on its way through {project} (run {run}, sent {when} by {})", one.service, version(&one.image), one.by);
    let now = format!("  {}, {}: waits for {}{driver}", one.stage, one.phase, one.waits_for);
    let mut text = format!("\n{}\n{}\n", printable(&head), printable(&now));
    for (what, command) in [("go on", &one.go_on), ("go back", &one.abort)] {
        if let Some(command) = command {
            let _ = writeln!(text, "  {what}: `{command}`");
        }
    }
    text
}
