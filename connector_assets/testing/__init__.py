"""A kit to test plugins with: their streams loaded into a store of the test's own.

    from connector_assets.testing import PluginBench

    def test_orders(tmp_path):
        bench = PluginBench(plugin, tmp_path, config={"path": "orders.csv"})
        assert bench.check().ok
        bench.load("orders")
        assert bench.rows("orders") == [{"id": 1}, {"id": 2}]
        bench.assert_survives_kills("orders")

It imports no test framework.
"""

from connector_assets.testing.bench import PluginBench

__all__ = ["PluginBench"]
