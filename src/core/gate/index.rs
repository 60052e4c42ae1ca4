//! Finding answers and earlier values by name, so that a gate of ten thousand indicators is graded at once.

use super::evaluation::{Answer, Previous, PreviousValue};
use std::collections::HashMap;

/// The values of earlier evaluations by indicator, newest first.
pub(super) struct Earlier<'a>(HashMap<&'a str, Vec<&'a PreviousValue>>);

impl<'a> Earlier<'a> {
    /// Those of `previous` that were measured. Something divided by nothing was not: anything would be within 10 % of it.
    pub fn new(previous: &'a [Previous]) -> Self {
        let mut by_name: HashMap<&str, Vec<&PreviousValue>> = HashMap::new();
        for value in previous.iter().flat_map(|one| &one.values) {
            if value.success && value.value.is_some_and(f64::is_finite) {
                by_name.entry(&value.metric).or_default().push(value);
            }
        }
        Self(by_name)
    }

    /// Those of one indicator.
    pub fn of(&self, id: &str) -> &[&'a PreviousValue] {
        self.0.get(id).map_or(&[], Vec::as_slice)
    }
}

/// Answers of which each is used once. The last one takes the place of one that was used, as in Lighthouse, which names
/// those that are left in that order.
pub(super) struct Supply<'a> {
    by_name: HashMap<&'a str, Vec<usize>>,
    /// The answers that are left.
    left: Vec<(usize, &'a Answer)>,
    /// The place of each answer among them.
    places: Vec<usize>,
}

impl<'a> Supply<'a> {
    /// All of `answers`.
    pub fn new(answers: &'a [Answer]) -> Self {
        let mut by_name: HashMap<&str, Vec<usize>> = HashMap::new();
        for (at, answer) in answers.iter().enumerate() {
            by_name.entry(&answer.id).or_default().push(at);
        }
        Self { by_name, left: answers.iter().enumerate().collect(), places: (0..answers.len()).collect() }
    }

    /// The first answer for `id` that is left.
    pub fn take(&mut self, id: &str) -> Option<&'a Answer> {
        let of_id = self.by_name.get_mut(id)?;
        let (nth, _) = of_id.iter().enumerate().min_by_key(|(_, at)| self.places.get(**at))?;
        let place = *self.places.get(of_id.swap_remove(nth))?;
        let (_, answer) = self.left.swap_remove(place);
        if let Some((moved, _)) = self.left.get(place)
            && let Some(its) = self.places.get_mut(*moved)
        {
            *its = place;
        }
        Some(answer)
    }

    /// The names of what is left.
    pub fn names(&self) -> Vec<&'a str> {
        self.left.iter().map(|(_, answer)| answer.id.as_str()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_moves_as_in_the_original() {
        let answers: Vec<Answer> = ["a", "x", "y", "a", "b"].iter().map(|id| Answer::new(*id, vec![])).collect();
        let mut supply = Supply::new(&answers);
        assert!(supply.take("a").is_some_and(|answer| std::ptr::eq(answer, &answers[0])));
        assert_eq!(supply.names(), ["b", "x", "y", "a"]);
        assert!(supply.take("a").is_some_and(|answer| std::ptr::eq(answer, &answers[3])));
        assert!(supply.take("a").is_none() && supply.take("z").is_none());
        assert!(supply.take("b").is_some());
        assert_eq!(supply.names(), ["y", "x"]);
    }
}
