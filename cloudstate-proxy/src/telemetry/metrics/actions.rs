//! What is counted of actions.

use std::time::Duration;

use prometheus_client::{
    metrics::{counter::Counter, histogram::Histogram},
    registry::Registry,
};

use super::families::{Counters, EntityLabel, Seconds, counters, seconds};

/// The metrics of all actions.
pub(super) struct ActionFamilies {
    received_commands: Counters,
    completed_commands: Counters,
    failed_commands: Counters,
    processing_time: Seconds,
}

/// The metrics of one action service.
#[derive(Clone)]
pub(crate) struct ActionMetrics {
    received_commands: Counter,
    completed_commands: Counter,
    failed_commands: Counter,
    processing_time: Histogram,
}

impl ActionFamilies {
    pub(super) fn register(r: &mut Registry) -> Self {
        Self {
            received_commands: counters(r, "received_commands", "Calls sent to the user function"),
            completed_commands: counters(r, "completed_commands", "Calls that ended"),
            failed_commands: counters(r, "failed_commands", "Calls that ended with a failure"),
            processing_time: seconds(r, "command_processing_time_seconds", "From call sent to its end"),
        }
    }

    pub(super) fn of(&self, service: &str) -> ActionMetrics {
        let label = EntityLabel::new(service);
        ActionMetrics {
            received_commands: self.received_commands.get_or_create_owned(&label),
            completed_commands: self.completed_commands.get_or_create_owned(&label),
            failed_commands: self.failed_commands.get_or_create_owned(&label),
            processing_time: self.processing_time.get_or_create_owned(&label),
        }
    }
}

impl ActionMetrics {
    pub(crate) fn command_received(&self) {
        self.received_commands.inc();
    }

    pub(crate) fn command_completed(&self, took: Duration, failed: bool) {
        self.completed_commands.inc();
        self.processing_time.observe(took.as_secs_f64());
        if failed {
            self.failed_commands.inc();
        }
    }
}
