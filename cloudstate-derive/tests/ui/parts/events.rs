#[derive(Event, Clone, Debug, PartialEq)]
pub enum CartEvent {
    Added(domain::ItemAdded),
    Removed(domain::ItemRemoved),
}
