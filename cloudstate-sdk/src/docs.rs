//! Pages that belong to no single item.

pub mod by_hand {
    #![doc = include_str!("docs/by_hand.md")]
}

pub mod evolving_events {
    #![doc = include_str!("docs/evolving_events.md")]
}

pub mod failures {
    #![doc = include_str!("docs/failures.md")]
}
