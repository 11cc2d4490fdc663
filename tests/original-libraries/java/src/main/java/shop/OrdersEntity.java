package shop;

import com.google.protobuf.Empty;
import io.cloudstate.javasupport.eventsourced.CommandContext;
import io.cloudstate.javasupport.eventsourced.CommandHandler;
import io.cloudstate.javasupport.eventsourced.EventHandler;
import io.cloudstate.javasupport.eventsourced.EventSourcedEntity;
import shop.proto.Shop;

@EventSourcedEntity(persistenceId = "orders")
public final class OrdersEntity {
  private int orders;

  @CommandHandler
  public Empty record(Shop.Order order, CommandContext context) {
    context.emit(Shop.OrderRecorded.newBuilder().setOrder(order).build());
    return Empty.getDefaultInstance();
  }

  @CommandHandler
  public Shop.OrderCount count(Shop.Customer customer) {
    return Shop.OrderCount.newBuilder().setOrders(orders).build();
  }

  @EventHandler
  public void recorded(Shop.OrderRecorded event) {
    orders += 1;
  }
}
