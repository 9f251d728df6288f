"""Factories that commit, in tests that leave nothing."""

import pytest
from factories import CustomerFactory, OrderFactory
from shop.models import Customer, Order
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError


def test_factory_boy(session):
    customer = CustomerFactory(username="me")
    assert session.scalar(select(Customer.email).filter_by(username="me")) == customer.email


def test_polyfactory(session):
    order = OrderFactory.create_sync(customer=CustomerFactory())
    assert session.scalar(select(func.sum(Order.cents))) == order.cents


def test_both_in_numbers(session):
    for customer in CustomerFactory.create_batch(3):
        OrderFactory.create_batch_sync(2, customer=customer)
    assert {len(customer.orders) for customer in session.scalars(select(Customer))} == {2}


def test_a_commit_that_fails(session):
    CustomerFactory(username="me")
    with pytest.raises(IntegrityError):
        CustomerFactory(username="me")
    session.rollback()
    assert session.scalar(select(func.count()).select_from(Customer)) == 1


@pytest.mark.parametrize("model", [Customer, Order])
def test_nothing_is_left_of_the_others(session, model):
    assert session.scalar(select(func.count()).select_from(model)) == 0
