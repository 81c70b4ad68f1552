# SPDX-License-Identifier: GPL-2.0-or-later
"""A hub for devices, as services are: each device holds a WebSocket and sends readings.

For each reading the hub starts three tasks and keeps them in a set, as asyncio wants it: else they may
be collected while they run. Two of them take themselves out when they are done.

    python3 -m uvicorn telemetry:app --port 8000
"""

import asyncio

import fastapi
import websockets

app = fastapi.FastAPI()


class Hub:
    def __init__(self):
        self.background = set()
        self.latest = {}
        self.received = 0

    def run(self, work):
        task = asyncio.create_task(work)  # the correct one
        self.background.add(task)
        task.add_done_callback(self.background.discard)

    def audit(self, device, reading):
        task = asyncio.create_task(self.record(device, reading))  # the leak: it stays in the set
        self.background.add(task)

    async def store(self, device, reading):
        await asyncio.sleep(0)
        self.latest[device] = reading

    async def record(self, device, reading):
        await asyncio.sleep(0)
        return device, reading["value"] > 90

    def receive(self, device, reading):
        self.received += 1
        self.run(self.store(device, reading))
        self.run(asyncio.sleep(0.05))
        self.audit(device, reading)


hub = Hub()


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
        hub.latest.pop(device, None)
