//! Sorting by name. Each instance of the standard sort is 3 to 5 KB of code, so there is one for
//! whatever has a name.

/// Sorts items by a name of theirs; equal ones keep their order.
pub(crate) fn by_name<T>(items: &mut Vec<T>, name: impl Fn(&T) -> &[u8]) {
    let order = order(&mut items.iter().map(name));
    let mut slots: Vec<Option<T>> = std::mem::take(items).into_iter().map(Some).collect();
    for at in order {
        items.extend(slots[at].take());
    }
}

/// Which place comes first, which second, ...
fn order(names: &mut dyn Iterator<Item = &[u8]>) -> Vec<usize> {
    let mut order: Vec<(&[u8], usize)> = names.zip(0..).collect();
    order.sort_unstable();
    order.into_iter().map(|(_, at)| at).collect()
}

#[cfg(test)]
mod tests {
    use super::by_name;

    #[test]
    fn equal_names_keep_their_order() {
        let mut items = vec![("b", 1), ("a", 2), ("", 3), ("b", 0), ("aa", 5), ("a", 1)];
        by_name(&mut items, |item| item.0.as_bytes());
        assert_eq!(
            items,
            [("", 3), ("a", 2), ("a", 1), ("aa", 5), ("b", 1), ("b", 0)]
        );
        let mut none: Vec<Vec<u8>> = Vec::new();
        by_name(&mut none, |name| name);
        assert!(none.is_empty());
    }
}
