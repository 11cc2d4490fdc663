//! What clients asked and what they were told, kept apart from everything that is killed.

use std::collections::{BTreeMap, BTreeSet};

use crash_recovery::Marks;

/// One entity of one service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Address {
    pub(crate) service: &'static str,
    pub(crate) entity: String,
}

/// The marks of one entity.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    /// All that were sent, whatever became of them.
    sent: BTreeSet<u64>,
    /// Those whose answer was a reply.
    acknowledged: BTreeSet<u64>,
}

impl Told {
    /// How many marks were acknowledged.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.acknowledged.len() as u64
    }
}

/// Every mark that was ever sent.
#[derive(Debug, Default)]
pub(crate) struct Book {
    marks: BTreeMap<Address, Told>,
    next: u64,
    acknowledged: u64,
    refused: Vec<String>,
}

impl Book {
    /// A mark that was never used, written down before it is sent.
    pub(crate) fn send(&mut self, to: &Address) -> u64 {
        self.next += 1;
        self.marks.entry(to.clone()).or_default().sent.insert(self.next);
        self.next
    }

    pub(crate) fn acknowledge(&mut self, of: &Address, mark: u64) {
        self.marks.entry(of.clone()).or_default().acknowledged.insert(mark);
        self.acknowledged += 1;
    }

    /// The answer was no reply: the mark may be stored or not.
    pub(crate) fn refuse(&mut self, why: String) {
        self.refused.push(why);
    }

    pub(crate) fn refused(&self) -> &[String] {
        &self.refused
    }

    /// How many marks were acknowledged.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    pub(crate) fn addresses(&self) -> Vec<Address> {
        self.marks.keys().cloned().collect()
    }

    /// What clients know of an entity at this moment.
    pub(crate) fn told(&self, of: &Address) -> Told {
        self.marks.get(of).cloned().unwrap_or_default()
    }

    /// Holds what an entity shows against all that was ever sent to it, and against `before`: what clients had been
    /// told when they asked.
    pub(crate) fn check(&self, of: &Address, before: &Told, shown: &Marks) -> Result<(), String> {
        let sent = &self.told(of).sent;
        let mut seen = BTreeSet::new();
        for id in &shown.ids {
            if !seen.insert(*id) {
                return Err(format!("{of:?}: mark {id} is stored twice"));
            }
            if !sent.contains(id) {
                return Err(format!("{of:?}: mark {id} is stored, but was never sent there"));
            }
        }
        if let Some(lost) = before.acknowledged.difference(&seen).next() {
            return Err(format!("{of:?}: mark {lost} was acknowledged and is lost"));
        }
        if shown.count != shown.ids.len() as u64 {
            let (count, ids) = (shown.count, shown.ids.len());
            return Err(format!(
                "{of:?}: {ids} marks, though {count} were counted: a command is stored in part"
            ));
        }
        Ok(())
    }
}

/// Holds what a consumer was given of one entity against the entity's history: everything in order, though after a
/// failure it may go back and repeat. Answers how much of the history is still to come.
pub(crate) fn check_echo(history: &[u64], given: &[u64]) -> Result<usize, String> {
    let mut next = 0;
    for id in given {
        match history.iter().position(|known| known == id) {
            None => return Err(format!("mark {id} was given, but never stored")),
            Some(place) if place > next => {
                return Err(format!("mark {id} was given before mark {}", history[next]));
            }
            Some(place) if place == next => next += 1,
            Some(_) => {}
        }
    }
    Ok(history.len() - next)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The checks can fail: each way to break the promise is told from the others.
    #[test]
    fn every_broken_promise_is_noticed() {
        let ledger = Address { service: "crash.Ledger", entity: "e1".to_owned() };
        let mut book = Book::default();
        let marks: Vec<u64> = (0..3).map(|_| book.send(&ledger)).collect();
        book.acknowledge(&ledger, marks[0]);
        book.acknowledge(&ledger, marks[1]);
        let before = book.told(&ledger);
        for (ids, count, complaint) in [
            (vec![1, 2], 2, None),
            (vec![1, 3, 2], 3, None),
            (vec![1], 1, Some("mark 2 was acknowledged and is lost")),
            (vec![1, 2, 1], 3, Some("mark 1 is stored twice")),
            (vec![1, 2, 3, 3], 4, Some("mark 3 is stored twice")),
            (vec![1, 2, 4], 3, Some("never sent")),
            (vec![1, 2], 1, Some("in part")),
            (vec![1, 2], 3, Some("in part")),
        ] {
            let checked = book.check(&ledger, &before, &Marks { ids: ids.clone(), count });
            match (checked, complaint) {
                (Ok(()), None) => {}
                (Err(found), Some(expected)) if found.contains(expected) => {}
                (checked, _) => panic!("{ids:?} {count}: {checked:?}"),
            }
        }
    }

    #[test]
    fn a_consumer_repeats_but_never_skips() {
        let history = [7, 3, 9];
        for (given, expected) in [
            (&[][..], Ok(3)),
            (&[7, 3, 9], Ok(0)),
            (&[7, 3], Ok(1)),
            (&[7, 3, 7, 3, 9, 9], Ok(0)),
            (&[7, 9], Err("mark 9 was given before mark 3")),
            (&[3], Err("mark 3 was given before mark 7")),
            (&[7, 4], Err("mark 4 was given, but never stored")),
        ] {
            assert_eq!(check_echo(&history, given), expected.map_err(str::to_owned), "{given:?}");
        }
    }
}
