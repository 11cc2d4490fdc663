//! What every store must do. A new store joins by one more line in [`conformance_of`]'s invocations at the end.

mod closing;
mod consumer;
mod journal;
mod log;
mod state;

use cloudstate_proxy::storage::StoreUrl;
use tempfile::TempDir;

/// One test per promise, on a store of its own.
macro_rules! conformance_of {
    ($store:ident, $url:expr) => {
        conformance_of!($store, $url,
            journal {
                an_unknown_entity_has_nothing
                events_come_back_in_order_and_unchanged
                payloads_of_any_bytes_and_types_come_back
                an_old_sequence_is_a_conflict_and_stores_nothing
                a_snapshot_is_stored_at_the_last_event
                an_append_of_nothing_checks_the_sequence
                entities_are_told_apart_by_both_ids
                pages_are_bounded_and_complete
                what_is_too_large_is_refused_before_it_costs_anything
                concurrent_appends_all_arrive_and_a_conflict_fails_alone
                of_many_writers_at_one_sequence_one_wins
            }
            state {
                a_value_is_set_replaced_and_removed
                a_crdt_is_set_replaced_and_stays_deleted
                states_of_any_bytes_and_types_come_back
                kinds_of_entities_of_one_name_do_not_meet
                what_is_too_large_is_refused_before_it_costs_anything
                of_a_refused_write_nothing_is_stored
                writes_and_appends_take_turns
            }
            log {
                events_of_a_persistence_id_come_in_the_order_they_were_stored
                a_reader_from_any_position_misses_nothing
                rare_events_are_found
                messages_come_back_in_order_and_unchanged
                a_trimmed_topic_keeps_its_positions
                a_trim_is_bounded
                pages_are_bounded_and_complete
                growth_is_told_when_it_can_be_read
                readers_follow_writers
                what_is_too_large_is_refused
            }
            consumer {
                each_consumer_has_an_offset
                what_a_consumer_wrote_and_its_offset_go_together
                dead_letters_come_back_unchanged_until_they_are_forgotten
                pages_of_dead_letters_are_bounded_and_complete
                a_long_error_is_cut_between_characters
                what_is_too_large_is_refused
            }
            closing {
                a_closed_store_says_so
            }
        );
    };
    ($store:ident, $url:expr, $($topic:ident { $($promise:ident)* })*) => {
        mod $store {
            use super::*;

            fn url(folder: &TempDir) -> StoreUrl {
                let url: fn(&TempDir) -> StoreUrl = $url;
                url(folder)
            }

            $(
                mod $topic {
                    use cloudstate_proxy::storage::open;
                    use tempfile::TempDir;

                    use super::{super::$topic as promises, url};

                    $(
                        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                        async fn $promise() {
                            let folder = TempDir::new().unwrap();
                            promises::$promise(open(&url(&folder)).await.unwrap()).await;
                        }
                    )*
                }
            )*
        }
    };
}

conformance_of!(memory, |_| StoreUrl::Memory);
conformance_of!(sqlite, |folder| StoreUrl::Sqlite(folder.path().join("store.db")));
