package shop;

import com.google.protobuf.Empty;
import io.cloudstate.javasupport.crdt.CommandContext;
import io.cloudstate.javasupport.crdt.CommandHandler;
import io.cloudstate.javasupport.crdt.CrdtEntity;
import io.cloudstate.javasupport.crdt.PNCounterMap;
import io.cloudstate.javasupport.crdt.StreamedCommandContext;
import java.util.Optional;
import shop.proto.Shop;

@CrdtEntity
public final class ScoresEntity {
  private final PNCounterMap<String> points;

  public ScoresEntity(PNCounterMap<String> points) {
    this.points = points;
  }

  @CommandHandler
  public Shop.Table add(Shop.AddPoints command) {
    points.increment(command.getPlayer(), command.getPoints());
    return table();
  }

  @CommandHandler
  public Shop.Table get(Shop.Game command) {
    return table();
  }

  @CommandHandler
  public Shop.Table watch(Shop.Game command, StreamedCommandContext<Shop.Table> context) {
    context.onChange(change -> Optional.of(table()));
    context.onCancel(cancelled -> points.increment("left", 1));
    return table();
  }

  @CommandHandler
  public Empty end(Shop.Game command, CommandContext context) {
    context.delete();
    return Empty.getDefaultInstance();
  }

  private Shop.Table table() {
    var table = Shop.Table.newBuilder();
    points.keySet().forEach(player -> table.putPoints(player, points.getValue(player)));
    return table.build();
  }
}
