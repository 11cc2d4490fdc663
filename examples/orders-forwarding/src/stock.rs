//! The stock of a product, which lets orders answer: a forward.

use std::collections::BTreeMap;

use cloudstate_sdk::event_sourced::*;

use crate::com::example::orders::{self as api, orders, persistence as domain, stock};

/// What happens to a product in stock.
#[derive(Event, Clone, Debug, PartialEq)]
pub enum StockEvent {
    /// More came in.
    Delivered(domain::Delivered),
    /// So much belongs to an order.
    Reserved(domain::Reserved),
    /// Nothing belongs to an order any more.
    Released(domain::Released),
}

/// The stock of one product.
#[event_sourced_entity(service = stock, persistence_id = "stock")]
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stock {
    delivered: u32,
    reserved: BTreeMap<String, u32>,
}

impl EventSourcedEntity for Stock {
    type Event = StockEvent;
    type Error = Failure;

    fn apply(&mut self, event: StockEvent) {
        match event {
            StockEvent::Delivered(event) => self.delivered = self.delivered.saturating_add(event.quantity),
            StockEvent::Reserved(event) => {
                self.reserved.insert(event.order_id, event.quantity);
            }
            StockEvent::Released(event) => {
                self.reserved.remove(&event.order_id);
            }
        }
    }
}

impl stock::EventSourced for Stock {
    fn deliver(&self, delivery: api::Delivery, _: &Context) -> Reply<Self, api::Level> {
        let quantity = positive(delivery.quantity)?;
        if self.delivered.checked_add(quantity).is_none() {
            return Err(Failure::out_of_range("more than can be counted"));
        }
        Ok(Effect::persist(domain::Delivered { quantity }).then_reply(Self::level))
    }

    // The reservation is stored first; then the order answers in our place.
    fn buy(&self, purchase: api::Purchase, _: &Context) -> Reply<Self, api::Order> {
        let api::Purchase { product_id, order_id, quantity } = purchase;
        if order_id.is_empty() {
            return Err(Failure::invalid_argument("say for which order: `orderId` is empty"));
        }
        let free = self.free_for(&order_id);
        if positive(quantity)? > free {
            return Err(Failure::failed_precondition(format!("only {free} left")));
        }
        let line = api::NewLine { order_id: order_id.clone(), product_id, quantity };
        Ok(Effect::persist(domain::Reserved { order_id, quantity }).forward(orders::set_line(line)))
    }

    fn release(&self, release: api::ReleaseStock, _: &Context) -> Reply<Self, ()> {
        if !self.reserved.contains_key(&release.order_id) {
            return Ok(().into());
        }
        Ok(Effect::persist(domain::Released { order_id: release.order_id }).reply(()))
    }

    fn get_level(&self, _: api::GetStock, _: &Context) -> Reply<Self, api::Level> {
        Ok(self.level().into())
    }
}

impl Stock {
    fn level(&self) -> api::Level {
        // No order has an empty id.
        api::Level { free: self.free_for("") }
    }

    /// What an order can have: all that does not belong to others.
    fn free_for(&self, order_id: &str) -> u32 {
        let others = self.reserved.iter().filter(|(id, _)| *id != order_id);
        others.fold(self.delivered, |free, (_, quantity)| free.saturating_sub(*quantity))
    }
}

fn positive(quantity: u32) -> Result<u32, Failure> {
    if quantity == 0 { Err(Failure::invalid_argument("the quantity must be positive")) } else { Ok(quantity) }
}
