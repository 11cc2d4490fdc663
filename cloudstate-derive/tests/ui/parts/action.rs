#[action(service = sums)]
#[derive(Default)]
pub struct Sums;

impl ActionService for Sums {
    type Error = Failure;
}
