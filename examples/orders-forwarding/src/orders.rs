//! An order, which gives back to the stock what it no longer needs: side effects.

use std::collections::BTreeMap;

use cloudstate_sdk::SideEffect;
use cloudstate_sdk::event_sourced::*;

use crate::com::example::orders::{self as api, orders, persistence as domain, stock};

/// What happens to an order.
#[derive(Event, Clone, Debug, PartialEq)]
pub enum OrderEvent {
    /// So much of a product is in it.
    LineSet(domain::LineSet),
    /// It was cancelled.
    Cancelled(domain::Cancelled),
}

/// One order.
#[event_sourced_entity(service = orders, persistence_id = "orders")]
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Order {
    lines: BTreeMap<String, u32>,
    cancelled: bool,
}

impl EventSourcedEntity for Order {
    type Event = OrderEvent;
    type Error = Failure;

    fn apply(&mut self, event: OrderEvent) {
        match event {
            OrderEvent::LineSet(line) => {
                if std::mem::take(&mut self.cancelled) {
                    self.lines.clear();
                }
                self.lines.insert(line.product_id, line.quantity);
            }
            OrderEvent::Cancelled(_) => self.cancelled = true,
        }
    }
}

impl orders::EventSourced for Order {
    fn set_line(&self, line: api::NewLine, _: &Context) -> Reply<Self, api::Order> {
        let api::NewLine { product_id, quantity, .. } = line;
        Ok(Effect::persist(domain::LineSet { product_id, quantity }).then_reply(Self::view))
    }

    // A cancelled order keeps its lines: side effects are made at most once, so whoever is not sure cancels again.
    fn cancel(&self, cancel: api::CancelOrder, _: &Context) -> Reply<Self, api::Order> {
        if self.lines.is_empty() {
            return Err(Failure::not_found("no such order"));
        }
        let release = |product_id: &String| {
            let release =
                api::ReleaseStock { product_id: product_id.clone(), order_id: cancel.order_id.clone() };
            SideEffect::synchronous(stock::release(release))
        };
        let event = (!self.cancelled).then_some(domain::Cancelled {});
        let effect = Effect::persist_all(event).then_reply(Self::view);
        Ok(effect.side_effects(self.lines.keys().map(release)))
    }

    fn get_order(&self, _: api::FindOrder, _: &Context) -> Reply<Self, api::Order> {
        Ok(self.view().into())
    }
}

impl Order {
    fn view(&self) -> api::Order {
        let line = |(product_id, quantity): (&String, &u32)| api::Line {
            product_id: product_id.clone(),
            quantity: *quantity,
        };
        api::Order { lines: self.lines.iter().map(line).collect(), cancelled: self.cancelled }
    }
}
