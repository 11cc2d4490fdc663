include!("../parts/contract.rs");

#[derive(Event)]
pub enum CartEvent {
    #[event(other)]
    Other(Any),
}

fn main() {}
