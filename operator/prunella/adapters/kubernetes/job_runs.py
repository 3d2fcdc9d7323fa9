"""A Job by name, as something that was started: its state, and the end of its log."""

from __future__ import annotations

from prunella import ports
from prunella.adapters.kubernetes import client, kinds, parse_job, pod_logs
from prunella.core import model, objects
from prunella.core.decisions import started

MOST_LINES, MOST_BYTES = 60, 65_536
_STATES = {
    model.JobState.ACTIVE: started.RunState.RUNNING,
    model.JobState.COMPLETE: started.RunState.SUCCEEDED,
    model.JobState.FAILED: started.RunState.FAILED,
}


async def look(api: client.KubeApi, ref: model.Ref) -> started.Run | None:
    """A Job as it is now, None when it is not there. Raises ClusterError.

    The log is read once it has ended; one that can't be read is no error.
    """
    query = {"fieldSelector": f"metadata.name={ref.name}"}
    found = await api.items(kinds.JOB.path(ref.namespace), query)
    if not found:
        return None
    job = parse_job.job(found[0])
    state = _STATES[job.state]
    log, why = "", ""
    if state is not started.RunState.RUNNING:
        log, why = await _log(api, ref, job.uid)
    message = "; ".join(filter(None, (job.message, why)))
    return started.Run(state, message, job.annotations.get(objects.MARK, ""), log)


async def _log(api: client.KubeApi, ref: model.Ref, uid: str) -> tuple[str, str]:
    """The end of the log of the Job's pod, and why there is none."""
    query = {"labelSelector": f"batch.kubernetes.io/controller-uid={uid}"}
    try:
        pods = await api.items(kinds.POD.path(ref.namespace), query)
        if not pods:
            return "", "it has no pod whose log could be read"
        path = kinds.POD.path(ref.namespace, pods[0]["metadata"]["name"], "log")
        return await pod_logs.end(api, path, {}, MOST_LINES, MOST_BYTES), ""
    except ports.ClusterError as error:
        return "", f"its log can't be read: {error}"
