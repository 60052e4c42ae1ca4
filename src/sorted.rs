//! Order, for many types at the price of one: the standard library's sort is 6 kB of program for each type and each way to
//! compare, and so is the `collect` of a map or a set, which sorts first.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

/// Sorts; what is equal keeps its order.
pub fn by<T>(items: &mut Vec<T>, mut compare: impl FnMut(&T, &T) -> Ordering) {
    let mut places: Vec<usize> = (0..items.len()).collect();
    sort(&mut places, &mut |one, other| compare(&items[one], &items[other]));
    let mut taken: Vec<Option<T>> = std::mem::take(items).into_iter().map(Some).collect();
    items.extend(places.into_iter().filter_map(|place| taken[place].take()));
}

/// Sorts by a key; what has the same keeps its order.
pub fn by_key<T, K: Ord>(items: &mut Vec<T>, key: impl Fn(&T) -> K) {
    by(items, |one, other| key(one).cmp(&key(other)));
}

/// The pairs by their keys; of several with one key the last counts.
pub fn map<K: Ord, V>(pairs: impl IntoIterator<Item = (K, V)>) -> BTreeMap<K, V> {
    let mut map = BTreeMap::new();
    map.extend(pairs);
    map
}

/// Each item once.
pub fn set<T: Ord>(items: impl IntoIterator<Item = T>) -> BTreeSet<T> {
    let mut set = BTreeSet::new();
    set.extend(items);
    set
}

/// The one sort.
#[inline(never)]
fn sort(places: &mut [usize], compare: &mut dyn FnMut(usize, usize) -> Ordering) {
    places.sort_by(|one, other| compare(*one, *other));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_items_keep_their_order() {
        let mut items: Vec<(u32, usize)> = (0..1000).map(|place| (place as u32 * 7919 % 13, place)).collect();
        let mut expected = items.clone();
        expected.sort_by_key(|(key, _)| *key);
        by_key(&mut items, |(key, _)| *key);
        assert_eq!(items, expected);
        by(&mut items, |one, other| other.1.cmp(&one.1));
        assert!(items.is_sorted_by_key(|(_, place)| std::cmp::Reverse(*place)));
    }

    #[test]
    fn maps_and_sets_are_those_of_collect() {
        let pairs = [(2, 'a'), (1, 'b'), (2, 'c')];
        assert_eq!(map(pairs), pairs.into_iter().collect());
        assert_eq!(set(pairs), pairs.into_iter().collect());
    }
}
