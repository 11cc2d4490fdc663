//! Pages that belong to no single item.

pub mod by_hand {
    #![doc = include_str!("docs/by_hand.md")]
}
