{#- nbgrader's page of an assignment's submissions, with a button for all of them in place of nbgrader's word on terminals. -#}
{%- extends 'manage_submissions.tpl' -%}

{%- block head -%}
{{ super() }}
<script>
$(function () {
    var where = base_url + "/autograder/grading/" + encodeURIComponent(assignment_id);
    var button = $("#autograde-all"), stop = $("#autograde-stop"), box = $("#autograde-state"), running = false;

    function show(state) {
        var over = running && !(state && state.running);
        running = Boolean(state && state.running);
        button.prop("disabled", running);
        stop.toggle(running);
        box.toggle(Boolean(state));
        if (!state) return;
        var other = state.assignment !== assignment_id ? state.assignment + ": " : "";
        var part = state.todo ? Math.round(100 * state.done / state.todo) : 0;
        box.find(".progress").toggle(running);
        box.find(".progress-bar").css("width", part + "%").attr("aria-valuenow", part);
        box.find(".said").text(other + state.said).toggleClass("text-danger", state.failed);
        box.find(".verdicts").text(state.verdicts ? "Verdicts: " + state.verdicts + "." : "");
        box.find(".attention").empty().append(state.attention.map(function (line) { return $("<li/>").text(line)[0]; }));
        box.find(".look").toggle(state.attention.length > 0);
        if (running) setTimeout(ask, 1000);
        if (over && models) {
            models.fetch({ success: function () { models.each(function (model) { model.trigger("sync", model); }); } });
        }
    }

    function ask() {
        // a JupyterHub wants the token of whatever is no page
        var asked = $.ajax(where, { dataType: "json", headers: { "X-XSRFToken": getCookie("_xsrf") } });
        asked.done(show).fail(function () { if (running) setTimeout(ask, 5000); });
    }

    function say(data) {
        button.prop("disabled", true);
        stop.prop("disabled", true);
        $.post(where, data).done(function (said) { show(JSON.parse(said)); }).fail(function (reply) {
            running = false;
            show({ assignment: assignment_id, said: "The Jupyter server refused: " + reply.status + " " + reply.statusText,
                   verdicts: "", attention: [], failed: true });
            if (reply.status === 409) ask(); // something is being graded: how far is that?
        }).always(function () { stop.prop("disabled", false); });
    }

    button.click(function () { say({}); });
    stop.click(function () { say({ stop: "yes" }); });
    ask();
});
</script>
{%- endblock head -%}

{%- block messages -%}
<div class="panel panel-default">
  <div class="panel-body">
    <button id="autograde-all" type="button" class="btn btn-primary">Autograde all</button>
    <button id="autograde-stop" type="button" class="btn btn-default" style="display: none">Stop</button>
    <span class="text-muted">
      grades what is new or changed, several submissions at a time; points that a person gave stay. It goes on when this page is
      closed. The same in a terminal: <code>autograder grade {{ assignment_id | e }}</code>
    </span>
    <div id="autograde-state" role="status" style="display: none; margin-top: 1em">
      <div class="progress" style="margin-bottom: 0.5em">
        <div class="progress-bar" role="progressbar" aria-label="graded" aria-valuemin="0" aria-valuemax="100"></div>
      </div>
      <div class="said" style="white-space: pre-wrap; overflow-wrap: anywhere"></div>
      <div class="verdicts text-muted"></div>
      <div class="look">A person has to look at:<ul class="attention" style="max-height: 12em; overflow-y: auto"></ul></div>
    </div>
  </div>
</div>
{%- endblock -%}
