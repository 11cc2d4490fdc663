//! The list of scenarios that are known to fail.

use std::collections::BTreeMap;

use crate::{report::Outcome, scenario::Scenario};

/// Scenarios that may fail, each with the reason.
#[derive(Debug, Default)]
pub(crate) struct KnownGaps(BTreeMap<String, String>);

impl KnownGaps {
    /// Reads lines of an id and a reason.
    ///
    /// # Errors
    ///
    /// Names the line that has no reason, or an id that there is not, or that was there before.
    pub(crate) fn read<S>(text: &str, scenarios: &[Scenario<S>]) -> Result<Self, String> {
        let mut gaps = BTreeMap::new();
        for (number, line) in (1..).zip(text.lines().map(str::trim)) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (id, reason) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
            let problem = if reason.trim().is_empty() {
                "needs a reason after the id"
            } else if !scenarios.iter().any(|scenario| scenario.id == id) {
                "is not the id of a scenario"
            } else if gaps.insert(id.to_owned(), reason.trim().to_owned()).is_some() {
                "is listed twice"
            } else {
                continue;
            };
            return Err(format!("line {number}: {id} {problem}"));
        }
        Ok(Self(gaps))
    }

    /// The outcome in the light of what is known.
    pub(crate) fn judged(&self, id: &str, outcome: Outcome) -> Outcome {
        match (outcome, self.0.get(id)) {
            (Outcome::Passed, Some(_)) => Outcome::GapIsClosed,
            (Outcome::Failed(_), Some(reason)) => Outcome::KnownGap(reason.clone()),
            (outcome, _) => outcome,
        }
    }
}
