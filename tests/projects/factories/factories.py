"""Test data, by factory_boy and by polyfactory. Both commit: the tests are rolled back nevertheless."""

import factory
from polyfactory import Use
from polyfactory.factories.sqlalchemy_factory import SQLAlchemyFactory
from shop.models import Customer, Order
from sqlalchemy.orm import scoped_session, sessionmaker

Session = scoped_session(sessionmaker())
"""The session of all factories; a fixture says which engine it uses."""


class CustomerFactory(factory.alchemy.SQLAlchemyModelFactory):
    class Meta:
        model = Customer
        sqlalchemy_session = Session
        sqlalchemy_session_persistence = "commit"

    username = factory.Sequence("customer{}".format)
    email = factory.Faker("email")


class OrderFactory(SQLAlchemyFactory[Order]):
    __session__ = Session.__call__  # were it Session itself, polyfactory would close it after each object
    __set_primary_key__ = False
    __set_foreign_keys__ = False

    cents = Use(SQLAlchemyFactory.__random__.randint, 1, 10_000)
