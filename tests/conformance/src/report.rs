//! What people see of a run.

use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
};

use crate::{
    area::Area,
    mismatch::Mismatch,
    scenario::{Scenario, Standing},
};

/// How one scenario went.
pub(crate) enum Outcome {
    Passed,
    Failed(Box<Mismatch>),
    /// Failed, as the list of known gaps says.
    KnownGap(String),
    /// Passed, although the list of known gaps says that it fails.
    GapIsClosed,
    /// Cannot be played here, for this reason.
    Skipped(String),
}

/// All scenarios of a run, in their order.
pub(crate) struct Report<'a, S> {
    pub(crate) scenarios: Vec<(&'a Scenario<S>, Outcome)>,
    /// What the only scenario of discovery in the reference kit cannot check here.
    pub(crate) of_discovery: &'static str,
}

#[derive(Clone, Copy, Default)]
struct Count {
    passed: usize,
    failed: usize,
    skipped: usize,
}

impl Count {
    fn add(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Passed => self.passed += 1,
            Outcome::Failed(_) | Outcome::GapIsClosed => self.failed += 1,
            Outcome::KnownGap(_) | Outcome::Skipped(_) => self.skipped += 1,
        }
    }

    fn scenarios(self) -> usize {
        self.passed + self.failed + self.skipped
    }
}

impl<S> Report<'_, S> {
    /// Whether all that was tested did all that could be asked of it.
    pub(crate) fn is_good(&self) -> bool {
        self.count(|_| true).failed == 0
    }

    fn count(&self, counts: impl Fn(&Scenario<S>) -> bool) -> Count {
        let mut count = Count::default();
        for (scenario, outcome) in &self.scenarios {
            if counts(scenario) {
                count.add(outcome);
            }
        }
        count
    }

    /// Of the scenarios of one origin.
    fn table(&self, standing: Standing) -> String {
        let title = match standing {
            Standing::Reference => "reference scenarios",
            Standing::Beyond => "beyond the reference",
            Standing::Choice => "choices",
        };
        let of_half = |scenario: &Scenario<S>| scenario.standing() == standing;
        let mut table =
            format!("{title:22}{:>10}{:>9}{:>9}{:>9}\n", "scenarios", "passed", "failed", "skipped");
        for area in Area::ALL {
            let count = self.count(|scenario| of_half(scenario) && scenario.area == area);
            if count.scenarios() == 0 {
                continue;
            }
            let is_reduced = standing == Standing::Reference && area == Area::Discovery;
            let remark = if is_reduced { self.of_discovery } else { "" };
            row(&mut table, area.name(), count, remark);
        }
        row(&mut table, "in all", self.count(of_half), "");
        table
    }

    fn has(&self, standing: Standing) -> bool {
        self.scenarios.iter().any(|(scenario, _)| scenario.standing() == standing)
    }

    /// How many scenarios of each area are skipped for the same reason.
    fn skipped(&self) -> BTreeMap<(Area, &str), usize> {
        let mut skipped = BTreeMap::new();
        for (scenario, outcome) in &self.scenarios {
            if let Outcome::Skipped(reason) = outcome {
                *skipped.entry((scenario.area, reason.as_str())).or_default() += 1;
            }
        }
        skipped
    }
}

fn row(table: &mut String, name: &str, Count { passed, failed, skipped }: Count, remark: &str) {
    let all = passed + failed + skipped;
    // Writing to a String does not fail.
    let _ = writeln!(table, "  {name:20}{all:>10}{passed:>9}{failed:>9}{skipped:>9}{remark}");
}

impl<S> fmt::Display for Report<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (Scenario { id, title, .. }, outcome) in &self.scenarios {
            match outcome {
                Outcome::Passed | Outcome::Skipped(_) => {}
                Outcome::Failed(mismatch) => writeln!(f, "FAILED {id}  {title}\n{mismatch}")?,
                Outcome::GapIsClosed => {
                    writeln!(f, "FAILED {id}  {title}\n    passes: take it off the list of known gaps\n")?;
                }
                Outcome::KnownGap(reason) => writeln!(f, "KNOWN GAP {id}  {title}: {reason}\n")?,
            }
        }
        for ((area, reason), count) in self.skipped() {
            writeln!(f, "SKIPPED {count} of {area}: {reason}\n")?;
        }
        for standing in Standing::ALL.into_iter().filter(|standing| self.has(*standing)) {
            writeln!(f, "{}", self.table(standing))?;
        }
        let Count { passed, failed, skipped } = self.count(|_| true);
        write!(f, "{passed} passed, {failed} failed, {skipped} skipped")
    }
}
