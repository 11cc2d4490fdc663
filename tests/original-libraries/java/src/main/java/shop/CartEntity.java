package shop;

import com.google.protobuf.Empty;
import io.cloudstate.javasupport.eventsourced.CommandContext;
import io.cloudstate.javasupport.eventsourced.CommandHandler;
import io.cloudstate.javasupport.eventsourced.EventHandler;
import io.cloudstate.javasupport.eventsourced.EventSourcedEntity;
import io.cloudstate.javasupport.eventsourced.Snapshot;
import io.cloudstate.javasupport.eventsourced.SnapshotHandler;
import java.util.List;
import java.util.TreeMap;
import java.util.stream.Collectors;
import shop.proto.Shop;

@EventSourcedEntity(persistenceId = "carts", snapshotEvery = 3)
public final class CartEntity {
  private final TreeMap<String, Integer> items = new TreeMap<>();

  @CommandHandler
  public Empty addItem(Shop.AddLineItem command, CommandContext context) {
    if (command.getQuantity() <= 0) {
      throw context.fail("Cannot add a negative quantity of " + command.getProductId());
    }
    var item = item(command.getProductId(), command.getQuantity());
    context.emit(Shop.ItemAdded.newBuilder().setItem(item).build());
    return Empty.getDefaultInstance();
  }

  @CommandHandler
  public Shop.Contents getCart(Shop.GetShoppingCart command) {
    return Shop.Contents.newBuilder()
        .addAllItems(lines())
        .setProcess(Long.toString(ProcessHandle.current().pid()))
        .build();
  }

  @CommandHandler
  public Empty checkOut(Shop.GetShoppingCart command, CommandContext context) {
    var order = Shop.Order.newBuilder().setUserId(command.getUserId()).setItems(items.size()).build();
    var record = context.serviceCallFactory().lookup("shop.Orders", "Record", Shop.Order.class);
    context.effect(record.createCall(order), true);
    context.emit(Shop.CheckedOut.getDefaultInstance());
    return Empty.getDefaultInstance();
  }

  @CommandHandler
  public void countOrders(Shop.GetShoppingCart command, CommandContext context) {
    var count = context.serviceCallFactory().lookup("shop.Orders", "Count", Shop.Customer.class);
    context.forward(count.createCall(Shop.Customer.newBuilder().setUserId(command.getUserId()).build()));
  }

  @EventHandler
  public void itemAdded(Shop.ItemAdded event) {
    items.merge(event.getItem().getProductId(), event.getItem().getQuantity(), Integer::sum);
  }

  @EventHandler
  public void checkedOut(Shop.CheckedOut event) {
    items.clear();
  }

  @Snapshot
  public Shop.CartState snapshot() {
    return Shop.CartState.newBuilder().addAllItems(lines()).build();
  }

  @SnapshotHandler
  public void restore(Shop.CartState state) {
    items.clear();
    state.getItemsList().forEach(item -> items.put(item.getProductId(), item.getQuantity()));
  }

  private List<Shop.LineItem> lines() {
    return items.entrySet().stream().map(e -> item(e.getKey(), e.getValue())).collect(Collectors.toList());
  }

  private static Shop.LineItem item(String productId, int quantity) {
    return Shop.LineItem.newBuilder().setProductId(productId).setQuantity(quantity).build();
  }
}
