"""A list of things to do, on the web."""

from flask import Flask, jsonify, request
from sqlalchemy import Engine, create_engine, select
from sqlalchemy.orm import sessionmaker

from todo.models import Thing


def create_app(database: str | Engine) -> Flask:
    """Return the application, with an engine and sessions of its own."""
    engine = create_engine(database) if isinstance(database, str) else database
    sessions = sessionmaker(engine)
    app = Flask(__name__)
    app.extensions["engine"] = engine

    @app.get("/things")
    def things():
        with sessions() as session:
            return jsonify([thing.what for thing in session.scalars(select(Thing).order_by(Thing.id))])

    @app.post("/things")
    def add():
        with sessions.begin() as session:
            session.add_all(Thing(what=what) for what in request.json)
        return "", 201

    return app
