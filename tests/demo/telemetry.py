# SPDX-License-Identifier: GPL-2.0-or-later
"""A hub for devices, as services are: each device holds a WebSocket and sends readings.

For each reading the hub starts tasks and keeps them in a set, as asyncio wants it: else they may be
collected while they run. When they are done they are taken out, but for those of one line.

    python3 -m uvicorn telemetry:app --port 8000
"""

import asyncio
import collections

import fastapi
import websockets

app = fastapi.FastAPI()


class Hub:
    def __init__(self):
        self.background = set()
        self.finished = collections.deque(maxlen=1000)  # for a page that shows the latest
        self.received = 0
        self.asked = 0

    def run(self, work):
        task = asyncio.create_task(work)  # the correct one
        self.background.add(task)
        task.add_done_callback(self.finish)

    def finish(self, task):
        self.background.discard(task)
        self.finished.append(task)

    def audit(self, work):
        task = asyncio.create_task(work)  # the leak: it stays in the set
        self.background.add(task)

    async def record(self, device, reading):
        await asyncio.sleep(0.01)
        return device, reading["value"] > 90

    def receive(self, device, reading):
        self.received += 1
        self.run(self.record(device, reading))
        self.run(self.record(device, reading))
        self.audit(self.record(device, reading))


hub = Hub()


@app.get("/asked")
async def asked():
    hub.asked += 1
    return hub.asked


@app.get("/received")
def received():
    return hub.received


@app.websocket("/devices/{device}")
async def serve_device(socket: fastapi.WebSocket, device: str):
    await socket.accept()
    try:
        while True:
            hub.receive(device, await socket.receive_json())
            await socket.send_text("ok")
    except (fastapi.WebSocketDisconnect, websockets.ConnectionClosed):
        pass
