//! The message of a commit.

use crate::core::plan::{Author, Change, Intent};
use crate::core::select::Service;
use crate::exec::Planned;
use crate::ui;

/// The verb with the objects it moves, and the message of the commit.
pub(super) fn of(planned: &[Planned], intent: &Intent, author: &Author) -> (String, String) {
    let changing: Vec<(&Service, &Change)> = planned
        .iter()
        .flat_map(|one| one.changes.iter().filter(|change| change.patch.is_some()).map(move |change| (&one.service, change)))
        .collect();
    let mut names: Vec<&str> = changing.iter().map(|(service, change)| service.objects[change.object].name.as_str()).collect();
    let verb = format!("{} {}", intent.verb(), names.join(" "));
    names = planned.iter().map(|one| one.service.name.as_str()).collect();
    let named = if names.len() > 3 { format!("{} services", names.len()) } else { names.join(", ") };
    let to = |change: &Change| {
        let first = change.moves.iter().find(|one| one.changes());
        first.map(|one| ui::weights_of(&one.after)).unwrap_or_default()
    };
    let all: Vec<String> = changing.iter().map(|(_, change)| to(change)).collect();
    let same = all.iter().all(|one| *one == all[0]);
    let mut subject = match intent {
        Intent::Shift(_) => format!("Shift {named}"),
        Intent::Promote(_) => format!("Promote {named}"),
        _ => format!("Roll {named} back"),
    };
    if let (true, Some(first)) = (same, all.first()) {
        let joint = if matches!(intent, Intent::Promote(_)) { ":" } else { " to" };
        subject += &format!("{joint} {first}");
    }
    let mut text = format!("{subject}\n\n");
    for (service, change) in &changing {
        let object = &service.objects[change.object];
        for one in change.moves.iter().filter(|one| one.changes()) {
            text += &format!("{} {}: {}\n", object.name, one.route, ui::moves(std::slice::from_ref(one)));
        }
    }
    if let Some(reason) = &author.reason {
        text += &format!("\n{reason}\n");
    }
    (verb, text)
}
