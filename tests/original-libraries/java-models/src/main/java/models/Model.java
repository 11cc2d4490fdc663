package models;

import cloudstate.tck.model.Eventsourced.Persisted;
import cloudstate.tck.model.Eventsourced.Request;
import cloudstate.tck.model.Eventsourced.RequestAction;
import cloudstate.tck.model.Eventsourced.Response;
import io.cloudstate.javasupport.ServiceCall;
import io.cloudstate.javasupport.eventsourced.CommandContext;
import io.cloudstate.javasupport.eventsourced.CommandHandler;
import io.cloudstate.javasupport.eventsourced.EventHandler;
import io.cloudstate.javasupport.eventsourced.EventSourcedEntity;
import io.cloudstate.javasupport.eventsourced.Snapshot;
import io.cloudstate.javasupport.eventsourced.SnapshotHandler;
import java.util.Optional;

/** Its state is the text of all its events. */
@EventSourcedEntity(persistenceId = "event-sourced-tck-model", snapshotEvery = 5)
public final class Model {
  private String text = "";

  @CommandHandler
  public Optional<Response> process(Request request, CommandContext context) {
    var forwarded = false;
    // The library applies events after the command handler.
    var now = new StringBuilder(text);
    for (RequestAction action : request.getActionsList()) {
      switch (action.getActionCase()) {
        case EMIT:
          now.append(action.getEmit().getValue());
          context.emit(Persisted.newBuilder().setValue(action.getEmit().getValue()).build());
          break;
        case FORWARD:
          forwarded = true;
          context.forward(two(context, action.getForward().getId()));
          break;
        case EFFECT:
          context.effect(two(context, action.getEffect().getId()), action.getEffect().getSynchronous());
          break;
        case FAIL:
          throw context.fail(action.getFail().getMessage());
        default:
          break;
      }
    }
    return forwarded
        ? Optional.empty()
        : Optional.of(Response.newBuilder().setMessage(now.toString()).build());
  }

  @EventHandler
  public void persisted(Persisted event) {
    text += event.getValue();
  }

  @Snapshot
  public Persisted snapshot() {
    return Persisted.newBuilder().setValue(text).build();
  }

  @SnapshotHandler
  public void restore(Persisted snapshot) {
    text = snapshot.getValue();
  }

  private static ServiceCall two(CommandContext context, String id) {
    return context
        .serviceCallFactory()
        .lookup("cloudstate.tck.model.EventSourcedTwo", "Call", Request.class)
        .createCall(Request.newBuilder().setId(id).build());
  }
}
