//! What people see of a run.

use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
};

use crate::{area::Area, mismatch::Mismatch, scenario::Scenario};

/// How one scenario went.
pub(crate) enum Outcome {
    Passed,
    Failed(Box<Mismatch>),
    /// Failed, as the list of known gaps says.
    KnownGap(String),
    /// Passed, although the list of known gaps says that it fails.
    GapIsClosed,
    /// Discovery does not offer these services.
    Skipped(Vec<String>),
}

/// All scenarios of a run, in their order.
pub(crate) struct Report<'a>(pub(crate) Vec<(&'a Scenario, Outcome)>);

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

impl Report<'_> {
    /// Whether the service did all that could be asked of it.
    pub(crate) fn is_good(&self) -> bool {
        self.count(|_| true).failed == 0
    }

    fn count(&self, counts: impl Fn(&Scenario) -> bool) -> Count {
        let mut count = Count::default();
        for (scenario, outcome) in &self.0 {
            if counts(scenario) {
                count.add(outcome);
            }
        }
        count
    }

    /// Of one half: the scenarios of the reference kit, or the others.
    fn table(&self, reference: bool) -> String {
        let title = if reference { "reference scenarios" } else { "beyond the reference" };
        let of_half = |scenario: &Scenario| scenario.is_reference() == reference;
        let mut table =
            format!("{title:22}{:>10}{:>9}{:>9}{:>9}\n", "scenarios", "passed", "failed", "skipped");
        for area in Area::ALL {
            let count = self.count(|scenario| of_half(scenario) && scenario.area == area);
            if count.scenarios() == 0 {
                continue;
            }
            let remark =
                if reference && area == Area::Discovery { "  reduced: no proxy is in between" } else { "" };
            row(&mut table, area.name(), count, remark);
        }
        row(&mut table, "in all", self.count(of_half), "");
        table
    }

    fn has_half(&self, reference: bool) -> bool {
        self.0.iter().any(|(scenario, _)| scenario.is_reference() == reference)
    }

    /// How many scenarios of each area wait for the same services.
    fn skipped(&self) -> BTreeMap<(Area, &[String]), usize> {
        let mut skipped = BTreeMap::new();
        for (scenario, outcome) in &self.0 {
            if let Outcome::Skipped(missing) = outcome {
                *skipped.entry((scenario.area, missing.as_slice())).or_default() += 1;
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

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (Scenario { id, title, .. }, outcome) in &self.0 {
            match outcome {
                Outcome::Passed | Outcome::Skipped(_) => {}
                Outcome::Failed(mismatch) => writeln!(f, "FAILED {id}  {title}\n{mismatch}")?,
                Outcome::GapIsClosed => {
                    writeln!(f, "FAILED {id}  {title}\n    passes: take it off the list of known gaps\n")?;
                }
                Outcome::KnownGap(reason) => writeln!(f, "KNOWN GAP {id}  {title}: {reason}\n")?,
            }
        }
        for ((area, missing), count) in self.skipped() {
            let missing = missing.join(", ");
            writeln!(f, "SKIPPED {count} of {area}: discovery does not offer {missing}\n")?;
        }
        for reference in [true, false] {
            if self.has_half(reference) {
                writeln!(f, "{}", self.table(reference))?;
            }
        }
        let Count { passed, failed, skipped } = self.count(|_| true);
        write!(f, "{passed} passed, {failed} failed, {skipped} skipped")
    }
}
